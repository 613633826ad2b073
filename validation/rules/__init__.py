"""The checks: pure functions over plain values."""
