"""`nanoferry.yaml`: what people type about their data."""

from validation.sidecar.typed import SIDECAR_NAME, Typed, merge, pointer, read

__all__ = ["SIDECAR_NAME", "Typed", "merge", "pointer", "read"]
