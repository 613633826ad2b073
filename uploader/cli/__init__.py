"""The command line: one file per command, one module that prints."""
