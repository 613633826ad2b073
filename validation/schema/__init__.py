"""Metadata documents against the nanoscience schema, in words that people can act on."""

from validation.schema.check import LEVELS, check_document, reached_level

__all__ = ["LEVELS", "check_document", "reached_level"]
