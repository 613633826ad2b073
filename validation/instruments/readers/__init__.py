"""One module per file format, named after it; imported only when a file of the format is read."""
