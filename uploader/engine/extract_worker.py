"""The child process that reads headers and previews: answers requests on its standard input until it closes.

A frame is four bytes of length (big endian), a JSON text, four bytes of length and a block of bytes (a preview).
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from validation.instruments import Header, Preview, read_header, read_preview

FRAME_LIMIT_BYTES = 256 << 20


def write_frame(stream: BinaryIO, document: dict[str, Any], block: bytes = b"") -> None:
    """Send one frame; raises OSError when the other side is gone."""
    # JSON escapes the lone surrogates of undecodable file names, so any path survives the pipe.
    text = json.dumps(document).encode("ascii")
    stream.write(b"".join((len(text).to_bytes(4, "big"), text, len(block).to_bytes(4, "big"), block)))
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next frame, or None when the other side has closed or sent half a frame."""
    parts = []
    for _ in range(2):
        length = int.from_bytes(_exactly(stream, 4) or b"\xff" * 4, "big")
        part = _exactly(stream, length) if length <= FRAME_LIMIT_BYTES else None
        if part is None:
            return None
        parts.append(part)
    return json.loads(parts[0]), parts[1]


def _exactly(stream: BinaryIO, size: int) -> bytes | None:
    data = stream.read(size)
    return data if len(data) == size else None


def serve(
    requests: BinaryIO,
    replies: BinaryIO,
    *,
    header: Callable[[Path], Header] = read_header,
    preview: Callable[[Path, int], Preview] = read_preview,
) -> None:
    """Answer every request, one reply per file as soon as it is read; returns when the requests end."""
    while (frame := read_frame(requests)) is not None:
        request, _ = frame
        if request.get("memory_bytes"):
            cap_memory(request["memory_bytes"])
        deadline_s = request.get("deadline_s", 0.0)
        for path in request.get("headers", ()):
            end_if_left_alone(deadline_s)
            write_frame(replies, header(Path(path)).to_json())
        if "preview" in request:
            end_if_left_alone(deadline_s)
            made = preview(Path(request["preview"]), request["max_px"])
            write_frame(replies, _without_picture(made), made.png or b"")
        end_if_left_alone(0.0)


def _without_picture(made: Preview) -> dict[str, Any]:
    return {
        "has_png": made.png is not None,
        "width_px": made.width_px,
        "height_px": made.height_px,
        "reason": made.reason,
        "issues": [issue.to_json() for issue in made.issues],
    }


def end_if_left_alone(deadline_s: float) -> None:
    """Let the system end this process well after its deadline, should the parent be too dead to do it; 0: not."""
    # The default action of SIGALRM ends the process even inside a decoder that never returns to Python.
    if hasattr(signal, "alarm"):
        signal.alarm(math.ceil(3 * deadline_s))


def cap_memory(memory_bytes: int) -> None:
    """Let this process grow by at most so much address space, where the system can enforce it."""
    # mypy takes this for dead code on the one system it looks from; macOS accepts the limit and ignores it.
    if not sys.platform.startswith("linux"):
        return
    import resource  # noqa: PLC0415  # does not exist on Windows

    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    limit = pages * resource.getpagesize() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    """Serve the parent process until it closes the pipe or dies."""
    # Decoders print on standard output; the replies keep their own channel.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # Ctrl-C reaches the whole group of processes. The parent decides what is still finished; a worker that ended by
    # itself would look as if it had crashed on its file.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        serve(sys.stdin.buffer, replies)
    except OSError:
        # The parent is gone: nobody waits for an answer.
        os._exit(0)


if __name__ == "__main__":
    main()
