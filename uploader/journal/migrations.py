"""The journal's tables as numbered steps. A step, once released, is never edited: the next change is a new step."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from uploader.journal.connection import Database, damaged
from uploader.model.errors import JournalTooNew

APPLICATION_ID = 0x4E46_4A31
"""`NFJ1`: marks the file as ours, so that another program's database is never migrated."""

# Names that come from disk may hold undecodable bytes and are BLOBs (codec.to_blob): lossless, and in the
# order of the strings. JSON texts are pure ASCII and hold such names as escapes.
_STEP_1 = """
CREATE TABLE targets (
  target_id INTEGER PRIMARY KEY,
  server    TEXT NOT NULL,
  catalog   TEXT NOT NULL,
  UNIQUE (server, catalog)
);
CREATE TABLE roots (
  root_id   INTEGER PRIMARY KEY,
  key       BLOB NOT NULL UNIQUE,
  path      BLOB NOT NULL,
  volume_id TEXT NOT NULL
);
CREATE TABLE runs (
  run_no       INTEGER PRIMARY KEY AUTOINCREMENT,
  run          TEXT NOT NULL UNIQUE,
  target_id    INTEGER NOT NULL REFERENCES targets,
  spec_id      TEXT NOT NULL,
  spec_version TEXT NOT NULL,
  spec_digest  TEXT NOT NULL,
  started      TEXT NOT NULL,
  finished     TEXT NOT NULL DEFAULT '',
  outcomes     TEXT NOT NULL DEFAULT '{}',
  interrupted  INTEGER NOT NULL DEFAULT 0,
  receipt      BLOB NOT NULL DEFAULT x''
);
CREATE TABLE run_roots (
  run_no   INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  position INTEGER NOT NULL,
  root_id  INTEGER NOT NULL REFERENCES roots,
  PRIMARY KEY (run_no, position)
) WITHOUT ROWID;
CREATE TABLE events (
  event_id INTEGER PRIMARY KEY AUTOINCREMENT,
  run      TEXT NOT NULL,
  body     TEXT NOT NULL
);
CREATE INDEX events_of_run ON events (run);

CREATE TABLE entries (
  entry_id    INTEGER PRIMARY KEY,
  target_id   INTEGER NOT NULL REFERENCES targets,
  root_id     INTEGER NOT NULL REFERENCES roots,
  run_no      INTEGER NOT NULL REFERENCES runs,
  path        BLOB NOT NULL,
  size_bytes  INTEGER NOT NULL,
  mtime_ns    INTEGER NOT NULL,
  volume_id   TEXT NOT NULL,
  file_id     BLOB NOT NULL,
  rule        TEXT NOT NULL,
  dataset     BLOB NOT NULL,
  object_path BLOB NOT NULL,
  set_key     BLOB NOT NULL,
  role        TEXT NOT NULL,
  issues      TEXT,
  action      TEXT,
  row         TEXT,
  outcome     TEXT,
  result      TEXT,
  UNIQUE (target_id, root_id, path)
);
CREATE INDEX entries_by_dataset ON entries (target_id, root_id, dataset, path);

CREATE TABLE headers (
  identity BLOB PRIMARY KEY,
  header   BLOB NOT NULL
);
CREATE TABLE digests (
  identity   BLOB PRIMARY KEY,
  md5        TEXT NOT NULL,
  sha256     TEXT NOT NULL,
  size_bytes INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE deliveries (
  delivery_id     INTEGER PRIMARY KEY,
  target_id       INTEGER NOT NULL REFERENCES targets,
  table_name      TEXT NOT NULL,
  row_key         BLOB NOT NULL,
  object_name     TEXT NOT NULL,
  state           TEXT NOT NULL CHECK (state IN ('intended', 'stored', 'registered')),
  source_identity BLOB NOT NULL,
  path            BLOB NOT NULL,
  md5             TEXT NOT NULL DEFAULT '',
  sha256          TEXT NOT NULL DEFAULT '',
  size_bytes      INTEGER NOT NULL DEFAULT 0,
  object_url      TEXT NOT NULL DEFAULT '',
  proof           TEXT NOT NULL,
  preview_url     TEXT NOT NULL DEFAULT '',
  rid             TEXT NOT NULL DEFAULT '',
  row_digest      TEXT NOT NULL DEFAULT '',
  written         TEXT NOT NULL DEFAULT '{}',
  UNIQUE (target_id, table_name, row_key)
);
CREATE INDEX deliveries_by_content ON deliveries (target_id, sha256) WHERE sha256 <> '';

CREATE TABLE jobs (
  job_id          INTEGER PRIMARY KEY,
  delivery_id     INTEGER NOT NULL REFERENCES deliveries,
  path            TEXT NOT NULL,
  chunk_bytes     INTEGER NOT NULL CHECK (chunk_bytes > 0),
  size_bytes      INTEGER NOT NULL,
  source_identity BLOB NOT NULL,
  abandoned       INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX one_wanted_job ON jobs (delivery_id) WHERE abandoned = 0;
CREATE INDEX jobs_of_delivery ON jobs (delivery_id);
CREATE TABLE chunks (
  job_id      INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
  chunk_index INTEGER NOT NULL,
  md5         TEXT NOT NULL,
  PRIMARY KEY (job_id, chunk_index)
) WITHOUT ROWID;
"""

_STEP_2 = """
ALTER TABLE entries ADD COLUMN captures TEXT;
ALTER TABLE entries ADD COLUMN typed_values TEXT;
ALTER TABLE runs ADD COLUMN purpose TEXT NOT NULL DEFAULT 'upload';
"""

# The line is a table of its own: a survey records a million files without touching it, and a move in it rewrites
# some forty bytes instead of an entry. Triggers keep its counts, so that asking for them costs nothing.
_STEP_3 = """
CREATE TABLE lines (
  run_no      INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
  small_bytes INTEGER NOT NULL DEFAULT -1
);
CREATE TABLE line (
  entry_id   INTEGER PRIMARY KEY REFERENCES entries ON DELETE CASCADE,
  run_no     INTEGER NOT NULL REFERENCES lines ON DELETE CASCADE,
  root_id    INTEGER NOT NULL,
  turn       INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  is_large   INTEGER NOT NULL DEFAULT 0,
  priority   INTEGER NOT NULL DEFAULT 0,
  standing   TEXT NOT NULL DEFAULT 'waiting'
             CHECK (standing IN ('waiting', 'taken', 'paused', 'set-aside'))
);
CREATE INDEX line_by_turn ON line (run_no, standing, is_large, priority DESC, turn);
CREATE TABLE line_counts (
  run_no     INTEGER NOT NULL REFERENCES lines ON DELETE CASCADE,
  standing   TEXT NOT NULL,
  files      INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (run_no, standing)
) WITHOUT ROWID;
CREATE TRIGGER line_joined AFTER INSERT ON line BEGIN
  UPDATE line_counts SET files = files + 1, size_bytes = size_bytes + new.size_bytes
   WHERE run_no = new.run_no AND standing = new.standing;
END;
CREATE TRIGGER line_moved AFTER UPDATE OF standing, size_bytes ON line BEGIN
  UPDATE line_counts SET files = files - 1, size_bytes = size_bytes - old.size_bytes
   WHERE run_no = old.run_no AND standing = old.standing;
  UPDATE line_counts SET files = files + 1, size_bytes = size_bytes + new.size_bytes
   WHERE run_no = new.run_no AND standing = new.standing;
END;
CREATE TRIGGER line_left AFTER DELETE ON line BEGIN
  UPDATE line_counts SET files = files - 1, size_bytes = size_bytes - old.size_bytes
   WHERE run_no = old.run_no AND standing = old.standing;
END;
CREATE INDEX entries_to_retry ON entries (run_no, root_id, path) WHERE outcome IN ('failed', 'cancelled');

CREATE TABLE commands (
  command_id INTEGER PRIMARY KEY AUTOINCREMENT,
  verb       TEXT NOT NULL,
  run        TEXT NOT NULL,
  path       BLOB NOT NULL,
  value      TEXT NOT NULL,
  posted     TEXT NOT NULL
);
CREATE TABLE answers (
  command_id INTEGER NOT NULL REFERENCES commands ON DELETE CASCADE,
  run        TEXT NOT NULL,
  taken      TEXT NOT NULL,
  answer     TEXT NOT NULL,
  PRIMARY KEY (command_id, run)
) WITHOUT ROWID;
ALTER TABLE runs ADD COLUMN commands_before INTEGER NOT NULL DEFAULT 0;
CREATE TABLE engines (
  run    TEXT PRIMARY KEY,
  record TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE sent (
  sent_id     INTEGER PRIMARY KEY,
  target_id   INTEGER NOT NULL REFERENCES targets,
  root_id     INTEGER NOT NULL REFERENCES roots,
  path        BLOB NOT NULL,
  run_no      INTEGER NOT NULL REFERENCES runs,
  finished    TEXT NOT NULL,
  outcome     TEXT NOT NULL,
  size_bytes  INTEGER NOT NULL,
  mtime_ns    INTEGER NOT NULL,
  md5         TEXT NOT NULL,
  sha256      TEXT NOT NULL,
  object_url  TEXT NOT NULL,
  preview_url TEXT NOT NULL,
  proof       TEXT NOT NULL,
  rid         TEXT NOT NULL,
  table_name  TEXT NOT NULL,
  UNIQUE (root_id, path, target_id, sha256)
);
CREATE INDEX sent_by_content ON sent (sha256) WHERE sha256 <> '';
INSERT INTO sent (target_id, root_id, path, run_no, finished, outcome, size_bytes, mtime_ns, md5, sha256,
                  object_url, preview_url, proof, rid, table_name)
SELECT target_id, root_id, path, run_no, finished, outcome, size_bytes, mtime_ns,
       coalesce(json_extract(result, '$.md5'), ''), coalesce(json_extract(result, '$.sha256'), ''),
       coalesce(json_extract(result, '$.object_url'), ''), coalesce(json_extract(result, '$.preview_url'), ''),
       coalesce(json_extract(result, '$.proof'), 'none'), coalesce(json_extract(result, '$.rid'), ''),
       coalesce(json_extract(result, '$.table'), '')
  FROM entries JOIN runs USING (run_no, target_id)
 WHERE outcome IN ('new', 'updated', 'same') AND result IS NOT NULL;

ALTER TABLE headers ADD COLUMN used_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE digests ADD COLUMN used_day INTEGER NOT NULL DEFAULT 0;
UPDATE headers SET used_day = strftime('%s', 'now') / 86400;
UPDATE digests SET used_day = strftime('%s', 'now') / 86400;
CREATE INDEX headers_by_use ON headers (used_day);
CREATE INDEX digests_by_use ON digests (used_day);
"""

STEPS: tuple[str, ...] = (_STEP_1, _STEP_2, _STEP_3)
"""Step n takes a journal from version n - 1 to version n."""


def migrate(database: Database, steps: tuple[str, ...] = STEPS) -> None:
    """Bring the journal to this program's version, each step whole or not at all.

    Raises JournalTooNew for a file of a newer program and JournalDamaged for a database that is not ours.
    """
    newest = len(steps)
    version = _version(database)
    if version == newest:
        return
    if version > newest:
        raise too_new(database.path, version, newest)
    for number in range(version + 1, newest + 1):
        with database.write() as connection:
            for statement in _statements(steps[number - 1]):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")


def too_new(path: Path, version: int, newest: int = len(STEPS)) -> JournalTooNew:
    """The error for the journal of a newer program."""
    return JournalTooNew(
        f"The journal {path} is of a newer Nanoferry (version {version}; this one knows {newest}).",
        detail="It was left as it is; nothing was read or sent.",
        remedy="Install the newer Nanoferry again, or set NANOFERRY_STATE_DIR to another folder for this one.",
        path=str(path),
    )


def _version(database: Database) -> int:
    version = int(database.read("PRAGMA user_version")[0][0])
    owner = int(database.read("PRAGMA application_id")[0][0])
    if owner == APPLICATION_ID:
        return version
    if database.read("SELECT 1 FROM sqlite_schema LIMIT 1") or version:
        raise damaged(database.path, "it is a database of another program")
    return 0


def _statements(step: str) -> Iterator[str]:
    # executescript() would commit first and so end the transaction.
    pending = ""
    for line in step.strip().splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):  # knows that a trigger holds semicolons inside
            yield pending
            pending = ""
    # A step may leave out the semicolon behind its last statement.
    yield from (part for part in pending.split(";") if part.strip())
