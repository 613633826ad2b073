"""One reader per file format, found by content first and suffix second."""

from validation.instruments.describe import describe
from validation.instruments.fields import Field, FieldType, fields
from validation.instruments.formats import Format, formats
from validation.instruments.model import FieldValue, Header, Preview
from validation.instruments.read import is_current, read_header, read_preview

__all__ = [
    "Field",
    "FieldType",
    "FieldValue",
    "Format",
    "Header",
    "Preview",
    "describe",
    "fields",
    "formats",
    "is_current",
    "read_header",
    "read_preview",
]
