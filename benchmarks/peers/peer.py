"""One peer: the metadata of its file, its environment, its command, and the form of its requests."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.load import message
from benchmarks.machine import BUILD

SERVERS = Path(__file__).parent / "servers"
REQUIREMENTS = Path(__file__).parent / "requirements"
# The regular expression of PEP 723.
_METADATA = re.compile(r"^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", re.MULTILINE)
_PINNED = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)

Body = dict[str, Any]


class PeerError(RuntimeError):
    """A peer cannot be installed, or does not do the same work."""


class Form(Protocol):
    """The form of requests and answers."""

    def request(self, body: Body) -> Body:
        """Return the body of /reversal/predict in this form."""

    def answer(self, body: Body) -> Body:
        """Return the `signal`, `confidence`, `stage1_prob` and `stage2_prob` of an answer."""


class Ours:
    """The JSON of /reversal/predict."""

    def request(self, body: Body) -> Body:
        """Return the body unchanged."""
        return body

    def answer(self, body: Body) -> Body:
        """Return the `data` of the answer."""
        data: Body = body["data"]
        return data


class V2:
    """The JSON of the Open Inference Protocol (V2): one tensor in, a signal and three probabilities out."""

    def request(self, body: Body) -> Body:
        """Return the matrix as the tensor `features`."""
        rows = body["features"]
        flat = [value for row in rows for value in row]
        shape = [1, len(rows), len(rows[0])]
        return {"inputs": [{"name": "features", "shape": shape, "datatype": "FP32", "data": flat}]}

    def answer(self, body: Body) -> Body:
        """Return the values of the tensors `signal` and `probabilities`."""
        data = {output["name"]: output["data"] for output in body["outputs"]}
        names = ("confidence", "stage1_prob", "stage2_prob")
        return {"signal": data["signal"][0], **dict(zip(names, data["probabilities"], strict=True))}


FORMS: Mapping[str, Form] = {"ours": Ours(), "v2": V2()}


@dataclass(frozen=True)
class Peer:
    """One peer. `settings`: arguments by name, of which the fastest counts. `seconds`: the shortest load."""

    name: str
    title: str
    dependencies: tuple[str, ...]
    settings: Mapping[str, list[str]]
    form: Form
    path: str
    ready: str
    seconds: float

    @classmethod
    def read(cls, file: Path) -> Peer:
        """Read a peer from its file. Raises PeerError if it has no metadata, KeyError if these have no title."""
        found = _METADATA.search(file.read_text())
        if found is None:
            raise PeerError(f"{file}: no script metadata (PEP 723)")
        lines = found["content"].splitlines()
        metadata = tomllib.loads("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines))
        about = metadata["tool"]["peer"]
        return cls(
            name=file.stem,
            title=about["title"],
            dependencies=tuple(re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in metadata["dependencies"]),
            settings=about.get("settings", {"as it is": []}),
            form=FORMS[about.get("protocol", "ours")],
            path=about.get("path", "/reversal/predict"),
            ready=about.get("ready", "/readyz"),
            seconds=about.get("seconds", 0.0),
        )

    @property
    def requirements(self) -> Path:
        """The file with the locked requirements and their hashes."""
        return REQUIREMENTS / f"{self.name}.txt"

    @property
    def versions(self) -> dict[str, str]:
        """The locked version of each direct dependency."""
        locked = dict(_PINNED.findall(self.requirements.read_text()))
        return {name: locked[name] for name in self.dependencies}

    @property
    def environment(self) -> Path:
        """The folder of its environment."""
        return BUILD / "peers" / self.name

    def build(self) -> None:
        """Install the locked requirements unless they are installed. Raises PeerError if that fails."""
        installed = self.environment / "requirements.txt"
        if installed.exists() and installed.read_text() == self.requirements.read_text():
            return
        uv = Path(sys.executable).parent / "uv"
        python = self.environment / "bin" / "python"
        install = ["pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        for arguments in (
            ["venv", "--quiet", "--clear", "--python", sys.executable, str(self.environment)],
            [*install, "--python", str(python), "-r", str(self.requirements)],
        ):
            done = subprocess.run([uv, *arguments], stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - uv
            if done.returncode:
                raise PeerError(f"{self.name} cannot be installed: {done.stderr.strip()}")
        shutil.copy(self.requirements, installed)

    def command(self, port: int, workers: int, setting: str) -> list[str]:
        """Return the command that starts it in the project's folder."""
        python = self.environment / "bin" / "python"
        own = ["--port", str(port), "--workers", str(workers), *self.settings[setting]]
        return [str(python), "-m", f"benchmarks.peers.servers.{self.name}", *own]

    def message(self, body: Body) -> bytes:
        """Return a request as bytes, in compact JSON."""
        return message(self.path, json.dumps(self.form.request(body), separators=(",", ":")).encode())


def peers() -> list[Peer]:
    """Return all peers, sorted by name."""
    return [Peer.read(file) for file in sorted(SERVERS.glob("*.py"))]
