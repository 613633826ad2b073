"""Stores and fetches objects through the peer's store API. Arguments: host, token, an empty folder."""

import hashlib
import json
import sys
from pathlib import Path

from deriva.core import HatracStore, format_credential
from deriva.core.utils.hash_utils import compute_file_hashes
from requests import HTTPError

host, token, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
store = HatracStore("http", host, format_credential(token=token))
found: dict[str, object] = {}


def status(ask) -> int:
    """Status of a refused request, or 200."""
    try:
        ask()
    except HTTPError as error:
        return error.response.status_code
    return 200


store.create_namespace("/hatrac/lab/day%201")
found["namespaces"] = [store.is_valid_namespace("/hatrac/lab"), store.is_valid_namespace("/hatrac/other")]

small = folder / "small.bin"
small.write_bytes(b"small bytes" * 100)
first = store.put_loc("/hatrac/lab/day%201/a.bin", str(small), content_disposition="filename*=UTF-8''a.bin")
found["same again"] = store.put_loc("/hatrac/lab/day%201/a.bin", str(small)) == first
small.write_bytes(b"other bytes")
second = store.put_loc("/hatrac/lab/day%201/a.bin", str(small))
found["second version"] = second != first
found["first version kept"] = (
    hashlib.md5(store.get_obj(first).content).hexdigest() == hashlib.md5(b"small bytes" * 100).hexdigest()
)
found["equal"] = [
    store.content_equals("/hatrac/lab/day%201/a.bin", filename=str(small)),
    store.content_equals(first, filename=str(small)),
]

large = folder / "large.bin"
large.write_bytes(bytes(range(256)) * (26 * 4096))
hashes = compute_file_hashes(str(large), hashes=["md5", "sha256"])
steps = []
stored = store.put_loc(
    "/hatrac/lab/new/deep/large.bin",
    str(large),
    md5=hashes["md5"][1],
    sha256=hashes["sha256"][1],
    chunked=True,
    chunk_size=5 << 20,
    callback=lambda **told: steps.append(told.get("completed")) or True,
)
found["chunks"] = steps
back = folder / "back.bin"
store.get_obj(stored, destfilename=str(back))  # the peer compares the SHA-256 itself
found["large is equal"] = back.read_bytes() == large.read_bytes()
head = store.head("/hatrac/lab/new/deep/large.bin").headers
found["head"] = {
    "Content-Length": head["Content-Length"],
    "Content-Location": head["Content-Location"] == stored,
    "Content-MD5": head["Content-MD5"] == hashes["md5"][1],
    "Content-SHA256": head["Content-SHA256"] == hashes["sha256"][1],
}
empty = folder / "empty"
empty.touch()
found["empty"] = store.get_obj(store.put_loc("/hatrac/lab/empty", str(empty), chunked=True)).content == b""

job = store.create_upload_job("/hatrac/lab/job", str(large), hashes["md5"][1], None)
found["job"] = store.get_upload_job("/hatrac/lab/job", job).json()["chunk-length"]
store.cancel_upload_job("/hatrac/lab/job", job)
found["cancelled job"] = status(lambda: store.get_upload_job("/hatrac/lab/job", job))
found["listing"] = sorted(store.retrieve_namespace("/hatrac/lab"))
found["full namespace"] = status(lambda: store.delete_namespace("/hatrac/lab"))
store.del_obj("/hatrac/lab/new/deep/large.bin")
found["deleted"] = status(lambda: store.get_obj("/hatrac/lab/new/deep/large.bin"))
found["deleted for ever"] = status(lambda: store.put_loc("/hatrac/lab/new/deep/large.bin", str(small)))
found["access lists"] = status(lambda: store.get_acl("/hatrac/lab"))
json.dump(found, sys.stdout)
