"""Hatrac over a folder and an SQLite index: namespaces, versioned objects, upload jobs."""
