"""One reader per file format, found by content first and suffix second."""
