"""Issue codes about files and what they say of themselves. A new code goes into the fitting section."""

from __future__ import annotations

from typing import Final

from validation.code import ERROR, FILE, GROUP, INFO, RUN, WARNING, Code

CODES_OF_FILES: Final[dict[str, Code]] = {
    # source: what the scan and the disk say
    "source.unreadable": Code(
        ERROR,
        FILE,
        "File cannot be read",
        "Give this account the right to read it, or close the program that locks it, and run again.",
    ),
    "source.folder_unreadable": Code(
        ERROR,
        FILE,
        "Folder cannot be read",
        "Give this account the right to list the folder, then run again; nothing in it was looked at.",
    ),
    "source.special": Code(
        INFO, FILE, "Not a regular file", "Sockets, pipes and devices are never sent; nothing to do."
    ),
    "source.link_loop": Code(
        WARNING,
        FILE,
        "Link leads back into the folder",
        "The link was not followed; remove it or copy what it points to.",
    ),
    "source.link_outside": Code(
        WARNING,
        FILE,
        "Link leads outside the folder",
        "The link was not followed; drop the folder that it points to, or copy the file here.",
    ),
    "source.link_inside": Code(
        INFO,
        FILE,
        "Link to something in the same folder",
        "The link was not followed; what it points to is taken at its own place. Nothing to do.",
    ),
    "source.link_broken": Code(
        WARNING,
        FILE,
        "Link leads nowhere",
        "Remove the link, or bring back what it pointed to and run again.",
    ),
    "source.vanished": Code(
        WARNING,
        FILE,
        "File or folder went away during the scan",
        "Run again once nothing moves files there; it is left out of this run.",
    ),
    "source.ignore_unreadable": Code(
        ERROR,
        GROUP,
        "Ignore file cannot be read",
        "Give this account the right to read it; until then its folder stays behind.",
    ),
    "source.ignore_pattern": Code(
        WARNING,
        GROUP,
        "A line of the ignore file is not a pattern",
        "Correct the line; it was skipped, the other lines count.",
    ),
    "source.case_clash": Code(
        WARNING,
        FILE,
        "Two names differ only in case or Unicode form",
        "Rename one of them: on Windows, macOS and many servers they are the same file.",
    ),
    "source.name_too_long": Code(
        ERROR,
        FILE,
        "Name is too long for the object store",
        "Shorten the name to under 200 bytes; the store keeps a version suffix behind it.",
    ),
    "source.name_undecodable": Code(
        ERROR,
        FILE,
        "Name is not UTF-8",
        "Rename the file or folder: a catalog holds only text, so it could not say which file this is.",
    ),
    "source.empty": Code(
        WARNING,
        FILE,
        "File is empty",
        "Check whether the acquisition finished; delete the file or acquire again.",
    ),
    "source.changed": Code(
        WARNING,
        FILE,
        "File changed while it was read",
        "It is left out of this run and taken by the next, once nothing writes to it.",
    ),
    # path: what the spec says
    "path.unmatched": Code(
        WARNING,
        FILE,
        "No rule of the spec takes this file",
        "Rename it as proposed, or extend the spec; `nanoferry explain FILE` shows where it failed.",
    ),
    "path.unmatched_held": Code(
        ERROR,
        RUN,
        "The spec holds a folder with files no rule takes",
        "Rename them as proposed or move them out of the folder.",
    ),
    "path.ambiguous": Code(
        WARNING,
        FILE,
        "More than one rule takes this file",
        "The first rule in the spec was used; make the later one stricter.",
    ),
    "path.above_root": Code(
        WARNING,
        FILE,
        "A path pattern matched above the dropped folder",
        "Set relative_path_validation in the spec, so that parent folders cannot select files.",
    ),
    "path.pattern_timeout": Code(
        ERROR,
        FILE,
        "A path pattern took too long on this name",
        "Simplify the pattern in the spec: it backtracks without bound.",
    ),
    "path.object_name": Code(
        ERROR,
        FILE,
        "No object name can be made for the file",
        "Rename the file, or correct the spec's object template.",
    ),
    # header: what the file says of itself
    "header.unreadable": Code(
        WARNING,
        FILE,
        "Header could not be read",
        "Open the file in the program that wrote it; if it opens there, report the format.",
    ),
    "header.truncated": Code(
        WARNING,
        FILE,
        "File ends before its header says",
        "The copy or the acquisition was cut off: copy it again from the instrument.",
    ),
    "header.unknown_format": Code(
        INFO, FILE, "Format is not known", "The file is kept with size, dates and hash only."
    ),
    "header.suffix_mismatch": Code(
        WARNING,
        FILE,
        "File name and content disagree",
        "Give the file the suffix of what it is, or save it again in the format its name says.",
    ),
    "header.malformed": Code(
        WARNING,
        FILE,
        "Part of the header is malformed",
        "The part was skipped; the rest of the header was read.",
    ),
    "header.conflicting_tags": Code(
        WARNING,
        FILE,
        "Two header tags disagree",
        "The value was chosen by the written rule; check the instrument's calibration.",
    ),
    "header.reader_crashed": Code(
        WARNING,
        FILE,
        "The reader crashed on this file",
        "The run went on; please report the file's format with the message.",
    ),
    "header.reader_timeout": Code(
        WARNING,
        FILE,
        "The reader took too long on this file",
        "The reader was stopped; the file is kept with size, dates and hash only.",
    ),
    "header.path_conflict": Code(
        WARNING,
        FILE,
        "Path and header disagree",
        "Correct the folder or file name, or confirm the header's value in nanoferry.yaml.",
    ),
    "header.operator_differs": Code(
        INFO,
        FILE,
        "Path and header name different operators",
        "Nothing to do when the account is shared; otherwise correct the folder's name.",
    ),
    "header.typed_conflict": Code(
        WARNING,
        FILE,
        "Typed metadata and header disagree",
        "Correct the value in nanoferry.yaml or the form.",
    ),
    "header.missing_field": Code(
        WARNING,
        FILE,
        "Header lacks an expected value",
        "Type the value once in nanoferry.yaml at the session's folder.",
    ),
    "header.out_of_range": Code(
        WARNING, FILE, "A header value is implausible", "Check the value against the instrument's log."
    ),
    "header.future": Code(
        WARNING, FILE, "Acquisition time lies in the future", "Set the clock of the acquisition PC."
    ),
    # metadata: typed metadata and the record document
    "sidecar.unreadable": Code(
        ERROR, GROUP, "nanoferry.yaml cannot be read", "Correct the YAML at the given line."
    ),
    "sidecar.unknown_key": Code(
        WARNING,
        GROUP,
        "nanoferry.yaml has an unknown key",
        "Correct the spelling or move it under `extensions`.",
    ),
    "metadata.unreadable": Code(
        ERROR,
        FILE,
        "Metadata document cannot be read",
        "Correct the JSON or YAML at the given place; nothing in the file was checked.",
    ),
    "metadata.missing": Code(
        WARNING,
        GROUP,
        "A required metadata value is missing",
        "Add it once in nanoferry.yaml at the session's folder.",
    ),
    "metadata.invalid": Code(
        WARNING, GROUP, "A metadata value breaks the schema", "Correct the value in nanoferry.yaml."
    ),
    "metadata.level": Code(
        INFO, GROUP, "Document does not reach the level asked for", "Add the missing values to reach it."
    ),
    "metadata.dangling_reference": Code(
        WARNING, GROUP, "A reference points to nothing", "Correct the id, or add the entity it names."
    ),
    # completeness: the folder against the spec
    "group.companion_missing": Code(
        WARNING, GROUP, "A companion file is missing", "Copy the missing file next to its partner."
    ),
    "group.companion_orphan": Code(
        WARNING,
        GROUP,
        "A companion file has no primary",
        "Copy the primary file beside it, or remove the orphan.",
    ),
    "group.gap": Code(
        WARNING,
        GROUP,
        "Numbers are missing in a series",
        "Copy the missing members, or note in nanoferry.yaml that they were never acquired.",
    ),
    "group.incomplete": Code(
        WARNING,
        GROUP,
        "The folder lacks members the spec requires",
        "Add what is missing, or change the spec's completeness rule.",
    ),
    "group.duplicate_target": Code(
        ERROR,
        FILE,
        "Two files claim the same record or object",
        "Rename one of them so that the spec gives it another path.",
    ),
}
