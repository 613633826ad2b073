"""Issue codes about specs, catalogs, pictures and the program. A new code goes into the fitting section."""

from __future__ import annotations

from typing import Final

from validation.code import ERROR, FILE, INFO, RECORD, RUN, WARNING, Code

CODES_OF_TARGETS: Final[dict[str, Code]] = {
    # spec
    "spec.not_found": Code(
        ERROR, RUN, "There is no such spec", "Give the path of a spec file or the name of a shipped spec."
    ),
    "spec.syntax": Code(ERROR, RUN, "Spec is not well formed", "Correct the YAML or JSON at the given line."),
    "spec.invalid": Code(
        ERROR, RUN, "Spec breaks the schema of specs", "Correct the entry at the given line."
    ),
    "spec.pattern": Code(ERROR, RUN, "A path pattern is not valid", "Correct the pattern at the given line."),
    "spec.ambiguous": Code(
        ERROR,
        RUN,
        "A path template can be read in two ways",
        "Put a separator or a typed field between the two free-text fields.",
    ),
    "spec.unknown_name": Code(
        ERROR,
        RUN,
        "A template uses a name that nothing supplies",
        "Use a name that the path, the file or a look-up gives.",
    ),
    "spec.processor": Code(
        ERROR,
        RUN,
        "Spec names a processor",
        "Processors run code; Nanoferry never imports them. Remove the entry; do the step before or after.",
    ),
    "spec.version": Code(
        ERROR, RUN, "Spec is for another version", "Use a spec whose version range covers this Nanoferry."
    ),
    # catalog
    "catalog.not_checked": Code(
        INFO,
        RUN,
        "Catalog checks did not run",
        "Run again with a server to check records, columns and rights.",
    ),
    "catalog.table_missing": Code(
        ERROR,
        RUN,
        "The catalog has no such table",
        "Correct the spec's table or have it made; `nanoferry catalog init` makes those of nanoscience.",
    ),
    "catalog.column_missing": Code(
        ERROR,
        RUN,
        "The catalog has no such column",
        "Correct the spec's column map: the server would drop the value without a word.",
    ),
    "catalog.column_required": Code(
        ERROR,
        RUN,
        "A column that may not be empty gets no value",
        "Give the column a value in the spec's column map.",
    ),
    "catalog.record_missing": Code(
        ERROR,
        RECORD,
        "The parent record is not in the catalog",
        "Create the record in the catalog, or correct the folder name.",
    ),
    "catalog.no_right": Code(
        ERROR,
        RUN,
        "This login may not write there",
        "Ask the catalog's owner for the right to insert into the table.",
    ),
    "catalog.conflict": Code(
        ERROR,
        FILE,
        "The catalog holds something else under this name",
        "Compare the record with the file; rename the file or have the record corrected.",
    ),
    # image: found on the way
    "image.black": Code(
        WARNING,
        FILE,
        "Image is empty",
        "Check the detector and the beam blanker; acquire again if it should not be.",
    ),
    "image.saturated": Code(
        WARNING,
        FILE,
        "Image is saturated",
        "Lower brightness or contrast and acquire again if the detail matters.",
    ),
    "preview.failed": Code(INFO, FILE, "No preview could be made", "The file is sent without a preview."),
    # program
    "check.crashed": Code(
        WARNING, RUN, "A check crashed", "The run went on without it; please report the message."
    ),
}
