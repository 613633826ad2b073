"""Watching folders."""
