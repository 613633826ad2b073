"""Run as a program: does every kind of step to a journal, for ever, and prints a line after each acknowledgement."""

from __future__ import annotations

import sys
from pathlib import Path

from uploader.journal.store import open_journal
from uploader.model.entries import Decision, Found
from uploader.model.files import Action, Digest, Root, SourceFile, Stored


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main(folder: Path) -> None:
    journal = open_journal(folder)
    target, root = journal.target("h", "1"), journal.root(Root(Path("/data")))
    run = f"run-{len(journal.runs(10_000))}"
    journal.start_run(run, target=target, roots=[root], spec_id="", spec_version="", spec_digest="")
    say("run", run)
    for number in range(100_000):
        name = f"{run}/{number}"
        source = SourceFile(name, 40, 1)
        journal.record(run, target, root, [Found(source)])
        say("recorded", name)
        entry = next(
            entry for entry in journal.entries(run, target, root, actions=None) if entry.source.path == name
        )
        journal.decide([Decision(entry.entry_id, Action.NEW, ())])
        say("decided", name)
        delivery = journal.intend(target, "s:t", name, f"/hatrac/{name}", source, "")
        say("intended", name)
        job = journal.open_job(
            delivery.delivery_id, f"j{name}", chunk_bytes=10, size_bytes=40, source_identity="i"
        )
        for index in range(4):
            journal.chunk(job.job_id, index, f"md5-{index}")
            say("chunk", name, index)
        journal.stored(delivery.delivery_id, Stored("n", f"n:{number}", 40), Digest("m", name, 40))
        say("stored", name)
        journal.registered([(delivery.delivery_id, f"rid-{name}", "", {})])
        say("registered", name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
