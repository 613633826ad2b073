"""Folds events into run summaries and receipts."""
