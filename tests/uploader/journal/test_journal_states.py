"""Whatever is done in whatever order: acknowledged calls are there after reopening, illegal ones change nothing."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from uploader.journal.store import SqliteJournal, open_journal
from uploader.model.entries import Delivery, DeliveryState, Job
from uploader.model.errors import JournalError
from uploader.model.files import Digest, Proof, SourceFile, Stored

KEYS = st.sampled_from(["one", "two"])
SOURCES = st.integers(0, 1).map(lambda version: SourceFile("f", 30, version, "v", "1"))
NAMES = st.sampled_from(["/hatrac/x", "/hatrac/y", ""])


class Deliveries(RuleBasedStateMachine):
    """Does the same to the journal and to plain dictionaries."""

    journal: SqliteJournal
    folder: tempfile.TemporaryDirectory[str]

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.journal = open_journal(Path(self.folder.name))
        self.target = self.journal.target("h", "1")
        self.deliveries: dict[str, Delivery] = {}
        self.wanted: dict[str, Job] = {}
        self.stale: dict[int, Job] = {}

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = open_journal(Path(self.folder.name))

    @rule(key=KEYS, source=SOURCES, name=NAMES)
    def intend(self, key: str, source: SourceFile, name: str) -> None:
        made = self.journal.intend(self.target, "s:t", key, name, source, "p")
        old = self.deliveries.get(key)
        is_same = old is not None and (old.source_identity, old.object_name) == (source.identity, name)
        if old is None or not is_same:
            self._abandon(key)
        if old is None or not is_same or old.state is DeliveryState.REGISTERED:
            self.deliveries[key] = Delivery(
                made.delivery_id,
                "s:t",
                key,
                name,
                DeliveryState.INTENDED,
                source.identity,
                object_url=_replaced(old) if old and old.object_name == name else "",
                rid=old.rid if old else "",
                written=old.written if old else {},
            )
        assert made == self.deliveries[key]

    @rule(key=KEYS, url=st.sampled_from(["u:1", "u:2"]))
    def store(self, key: str, url: str) -> None:
        old = self.deliveries.get(key)
        what, digest = Stored("n", url, 30, proof=Proof.JOB_MD5), Digest("m", url, 30)
        if old is None or old.state is not DeliveryState.INTENDED:
            with pytest.raises(JournalError):
                self.journal.stored(old.delivery_id if old else 99, what, digest)
            return
        self.journal.stored(old.delivery_id, what, digest)
        self.deliveries[key] = replace(
            old, state=DeliveryState.STORED, object_url=url, digest=digest, proof=Proof.JOB_MD5
        )
        self._abandon(key)

    @rule(key=KEYS, rid=st.sampled_from(["1-A", "1-B"]))
    def register(self, key: str, rid: str) -> None:
        old = self.deliveries.get(key)
        row = (old.delivery_id if old else 99, rid, "", {"rid": rid})
        if old is None or (old.state is DeliveryState.INTENDED and old.object_name):
            with pytest.raises(JournalError):
                self.journal.registered([row])
            return
        self.journal.registered([row])
        self.deliveries[key] = replace(old, state=DeliveryState.REGISTERED, rid=rid, written={"rid": rid})

    @rule(key=KEYS)
    def open_job(self, key: str) -> None:
        delivery = self.deliveries.get(key)
        if delivery is None or delivery.state is not DeliveryState.INTENDED:
            return
        job = self.journal.open_job(
            delivery.delivery_id, "j", chunk_bytes=10, size_bytes=30, source_identity=delivery.source_identity
        )
        self._abandon(key)
        self.wanted[key] = job

    @rule(key=KEYS, index=st.integers(-1, 3), md5=st.sampled_from(["a", "b"]))
    def chunk(self, key: str, index: int, md5: str) -> None:
        job = self.wanted.get(key)
        if job is None or not 0 <= index < 3:
            with pytest.raises(JournalError):
                self.journal.chunk(job.job_id if job else 99, index, md5)
            return
        self.journal.chunk(job.job_id, index, md5)
        self.wanted[key] = replace(job, chunks={**job.chunks, index: md5})

    @rule(key=KEYS)
    def close_job(self, key: str) -> None:
        job = self.wanted.pop(key, None)
        if job is not None:
            self.journal.close_job(job.job_id)

    @rule()
    def clear_stale(self) -> None:
        for job in self.journal.stale_jobs(self.target):
            self.journal.close_job(job.job_id)
        self.stale.clear()

    @invariant()
    def the_journal_holds_what_was_acknowledged(self) -> None:
        assert self.journal.deliveries(self.target, "s:t", ["one", "two"]) == self.deliveries
        for key, delivery in self.deliveries.items():
            assert self.journal.job(delivery.delivery_id) == self.wanted.get(key)
        assert {job.job_id: job for job in self.journal.stale_jobs(self.target)} == self.stale

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()

    def _abandon(self, key: str) -> None:
        job = self.wanted.pop(key, None)
        if job is not None:
            self.stale[job.job_id] = job


def _replaced(old: Delivery) -> str:
    """The version that new bytes may replace: sent by us, and named by no row."""
    if old.state is DeliveryState.STORED:
        return "" if old.rid else old.object_url
    return old.object_url if old.state is DeliveryState.INTENDED else ""


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
