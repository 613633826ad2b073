"""The steps of the flow as plain functions."""
