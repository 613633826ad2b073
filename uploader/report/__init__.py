"""Folds events into run summaries; writes, reads and verifies receipts."""
