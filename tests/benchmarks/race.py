"""Runs two clients in turn against one server and notes what the operating system says of each finished process."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ground import Server, environment
from peer_environment import Peer

LAUNCHER = Path(__file__).parent / "launch.py"

SPEC = {
    "relative_path_validation": True,
    "asset_mappings": [
        {
            "ext_pattern": "^.*[.](?P<file_ext>bin)$",
            "checksum_types": ["md5", "sha256"],
            "record_query_template": "/entity/{target_table}/MD5={md5}&File_Name={file_name_urlencoded}",
            "column_map": {
                "File_Name": "{file_name}",
                "MD5": "{md5}",
                "SHA256": "{sha256}",
                "Length": "{file_size}",
                "URI": "{URI}",
            },
            "hatrac_options": {"versioned_uris": True},
        }
    ],
}
"""What both clients are given, but for table and object names, which are new for every run."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one whole process took, from its start to its exit."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    """Of the largest process among those the command started and waited for."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A table and a namespace that nobody has used yet, and the spec that leads there."""

    name: str
    spec: Path

    @property
    def table(self) -> str:
        return f"Bench:{self.name}"


@dataclass(frozen=True, slots=True)
class Course:
    """A server, a tree and both clients."""

    endpoint: Server
    peer: Peer
    tree: Path
    scratch: Path

    def lane(self, name: str) -> Lane:
        """A fresh lane."""
        self._model(name)
        document = json.loads(json.dumps(SPEC))
        mapping = document["asset_mappings"][0]
        mapping["target_table"] = ["Bench", name]
        mapping["hatrac_templates"] = {"hatrac_uri": f"/hatrac/bench/{name}/{{md5}}.{{file_name}}"}
        spec = self.scratch / f"{name}.json"
        spec.write_text(json.dumps(document), "utf-8")
        return Lane(name, spec)

    def ours(self, lane: Lane) -> Run:
        """Upload the tree with `nanoferry upload`."""
        variables = environment(
            NANOFERRY_SERVER=self.endpoint.url,
            NANOFERRY_TOKEN=self.endpoint.token,
            NANOFERRY_STATE_DIR=str(self.scratch / f"state-{lane.name}"),
        )
        command = [str(Path(sys.executable).parent / "nanoferry"), "upload"]
        return timed([*command, "--dir", str(self.tree), "--spec", str(lane.spec)], variables)

    def theirs(self, lane: Lane) -> Run:
        """Upload the tree with `deriva-upload-cli`."""
        host = self.endpoint.url.removeprefix("http://").replace("127.0.0.1", "localhost")
        command = self.peer.upload_command(host, self.endpoint.token, self.tree, lane.spec)
        return timed(command, self.peer.environment())

    def forget_peer(self) -> None:
        """Remove the note that the peer leaves in the tree."""
        for note in self.tree.glob(".deriva-upload-state*"):
            note.unlink()

    def arrived(self, lane: Lane) -> tuple[int, int]:
        """Number of rows and sum of their lengths."""
        rows = self.endpoint.ask("GET", f"/ermrest/catalog/1/entity/{lane.table}").json()
        return len(rows), sum(row["Length"] for row in rows)

    def _model(self, name: str) -> None:
        if "Bench" not in self.endpoint.ask("GET", "/ermrest/catalog/1/schema").json()["schemas"]:
            self.endpoint.ask("POST", "/ermrest/catalog/1/schema/Bench")
        columns = {"File_Name": "text", "MD5": "text", "SHA256": "text", "Length": "int8", "URI": "text"}
        table = {
            "table_name": name,
            "column_definitions": [
                {"name": column, "type": {"typename": typename}, "nullok": False}
                for column, typename in columns.items()
            ],
            "keys": [{"unique_columns": ["MD5", "File_Name"]}],
        }
        self.endpoint.ask("POST", "/ermrest/catalog/1/schema/Bench/table", table)


def timed(command: Sequence[str], variables: Mapping[str, str]) -> Run:
    """Run a command to its end; a failure fails the benchmark."""
    with tempfile.TemporaryDirectory() as folder:
        figures, output = Path(folder) / "figures.json", Path(folder) / "output.txt"
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(figures), str(output)]
        subprocess.run([*launcher, *command], env=dict(variables), check=True)
        found = json.loads(figures.read_text("utf-8"))
        assert found["code"] == 0, f"{command[0]} failed:\n{output.read_text('utf-8', 'replace')[-4000:]}"
    return Run(found["wall_s"], found["cpu_s"], found["peak_bytes"])


def machine() -> str:
    """The machine in a few words, without its name."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        named = [line for line in info.read_text("utf-8").splitlines() if line.startswith("model name")]
        cpu = named[0].partition(":")[2].strip() if named else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version()
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, Python {python}"
