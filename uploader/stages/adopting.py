"""Objects that are in the store already: made by a run that died, by a lost reply, or by somebody else."""

from __future__ import annotations

import hashlib

from uploader.model.entries import Job
from uploader.model.errors import NotFound, Unreachable
from uploader.model.files import Digest, Proof, Stored
from uploader.model.ports import ObjectStore


def made_meanwhile(store: ObjectStore, name: str, job: Job) -> Stored | None:
    """An object that somebody else published while ours was on its way: a job bears no `If-None-Match`."""
    found = store.head(name)
    return None if found is None or found.version == _version_of(job) else found


def _version_of(job: Job) -> str:
    """The id that the object's version will have: that of the job."""
    return job.path.rpartition("/")[2]


def finalise(store: ObjectStore, name: str, job: Job, digest: Digest) -> Stored:
    """Publish the job's object, or find it published; raises as the store does."""
    try:
        return store.finalise(job.path)
    except (NotFound, Unreachable):
        # The reply of an earlier finalise may have been lost: the job's id is the version's id.
        adopted = _finalised_before(store, name, job, digest)
        if adopted is None:
            raise
        return adopted


def _finalised_before(store: ObjectStore, name: str, job: Job, digest: Digest) -> Stored | None:
    found = store.head(name)
    if found is None:
        return None
    is_this_job = found.version == _version_of(job)
    return found if is_this_job and found.size_bytes == digest.size_bytes else None


def adopted(store: ObjectStore, found: Stored | None, digest: Digest) -> Stored | None:
    """The object that is there already, when its MD5 and size are the file's."""
    if found is None or found.size_bytes != digest.size_bytes:
        return None
    if not found.md5:
        return _compared(store, found, digest)
    return proven(found, digest, Proof.ADOPTED) if found.md5 == digest.md5 else None


def _compared(store: ObjectStore, found: Stored, digest: Digest) -> Stored | None:
    """An object that bears no checksum, published by a job whose reply was lost: only its bytes can tell."""
    md5 = hashlib.md5(usedforsecurity=False)
    for piece in store.read(found.url):
        md5.update(piece)
    if md5.hexdigest() != digest.md5:
        return None
    store.set_checksums(found.url, md5=md5.digest(), sha256=bytes.fromhex(digest.sha256))
    return proven(found, digest, Proof.DOWNLOAD)


def proven(stored: Stored, digest: Digest, proof: Proof) -> Stored:
    """The object with the digest that the file has and what vouches for it."""
    return Stored(stored.name, stored.url, digest.size_bytes, digest.md5, digest.sha256, proof)
