"""File suffixes and media types: which part of a name is its suffix, and what it says the bytes are."""

from __future__ import annotations

import mimetypes

from validation.spec.model import Rule

_WRAPPERS = frozenset({".gz", ".bz2", ".xz", ".zst", ".lz4"})
_COMPOUND = frozenset({".ome.tif", ".ome.tiff", ".ome.zarr", ".nii.gz", ".tar.gz", ".fastq.gz", ".ome.xml"})
_LONGEST_PARTS = 3

# Formats of this field that the standard table does not know. `x-` where nobody has registered a name.
_MEDIA_TYPES = {
    ".ome.tif": "image/tiff",
    ".ome.tiff": "image/tiff",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".dm3": "application/x-gatan-dm3",
    ".dm4": "application/x-gatan-dm4",
    ".ser": "application/x-tia-ser",
    ".emi": "application/x-tia-emi",
    ".emd": "application/x-hdf5",
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".hspy": "application/x-hdf5",
    ".nxs": "application/x-hdf5",
    ".mrc": "image/x-mrc",
    ".mrcs": "image/x-mrc",
    ".rec": "image/x-mrc",
    ".st": "image/x-mrc",
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".msa": "text/plain",
    ".mdoc": "text/plain",
    ".hdr": "text/plain",
    ".txt": "text/plain",
    ".gz": "application/gzip",
    ".tar.gz": "application/gzip",
    ".nii": "image/x-nifti",
    ".nii.gz": "image/x-nifti",
    ".fastq.gz": "application/gzip",
}
# The table of the standard library alone: what the machine has installed must not change a row.
_STANDARD = mimetypes.MimeTypes(filenames=())


def file_ext(name: str, known: frozenset[str] = frozenset()) -> str:
    """The suffix with its dot, as written: the last one, or a compound such as `.ome.tif` or `.nii.gz`.

    `known` holds the (lower-case) suffixes the spec speaks of.
    """
    stem = name.lstrip(".")
    parts = stem.split(".")
    for count in range(min(_LONGEST_PARTS, len(parts) - 1), 1, -1):
        joined = "." + ".".join(parts[-count:])
        folded = joined.lower()
        if folded in _COMPOUND or folded in known or folded[1:] in known:
            return joined
    if len(parts) < 2 or not parts[-1]:
        return ""
    last = f".{parts[-1]}"
    if last.lower() in _WRAPPERS and len(parts) > 2 and _is_suffix(parts[-2]):
        return f".{parts[-2]}{last}"
    return last


def _is_suffix(part: str) -> bool:
    """Whether it looks like a suffix and not like a date, a version or a sentence."""
    return 1 <= len(part) <= 6 and part.isalnum() and part[0].isalpha() and not part[1:].isdigit()


def media_type(rule: Rule, path: str) -> str:
    """What the bytes are by the name: the spec's table first, then ours, then the standard one."""
    name = path.rpartition("/")[2].lower()
    at = name.find(".", 1)
    while at >= 0:
        suffix = name[at:]
        found = rule.media_types.get(suffix) or _MEDIA_TYPES.get(suffix)
        if found:
            return found
        at = name.find(".", at + 1)
    guessed, wrapping = _STANDARD.guess_type(name, strict=False)
    if wrapping:
        # The bytes are the wrapping's: text/csv with gzip around it is gzip to whoever opens it.
        return {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}.get(
            wrapping, "application/octet-stream"
        )
    return guessed or "application/octet-stream"
