"""Runs a command and writes what it took. A process of its own and a small one: a child's peak memory counts from that
of the process that started it. Arguments: file for the figures, file for the output, command."""

import json
import os
import subprocess
import sys
import time

figures, output, *command = sys.argv[1:]
with open(output, "wb") as said:  # noqa: PTH123 - pathlib would cost memory here
    started = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - started
with open(figures, "w", encoding="utf-8") as written:  # noqa: PTH123
    json.dump(
        {
            "code": os.waitstatus_to_exitcode(status),
            "wall_s": wall_s,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_bytes": usage.ru_maxrss * 1024,
        },
        written,
    )
