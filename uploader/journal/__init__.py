"""Durable memory in SQLite."""
