"""Verify the files of a release, without a network and with the standard library only.

    python3 -m tools.release.verify FOLDER [--signers FILE]

Every file must be the one that a statement of provenance names, and with `--signers` each statement must have a valid
signature of the identity `release` in that file (see docs/release.md).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_STATEMENTS = {"https://in-toto.io/Statement/v1": "https://slsa.dev/provenance/v1"}
_SUFFIX, _SIGNATURE = ".intoto.json", ".sig"
IDENTITY, NAMESPACE = "release", "reversal-release"


class Unverified(Exception):
    """The message names the file and what is wrong with it."""


def verify(folder: Path, signers: Path | None) -> list[str]:
    """Verify all files of a folder; returns a line for each. Raises Unverified."""
    statements = sorted(folder.glob(f"*{_SUFFIX}"))
    if not statements:
        raise Unverified(f"{folder}: no statement (*{_SUFFIX})")
    said, known = [], {path.name for path in statements}
    for path in statements:
        if signers is not None:
            _verify_signature(path, signers)
            known.add(path.name + _SIGNATURE)
        statement = _statement(path)
        commit = _commit(statement)
        said.append(f"{path.name}: {'signed' if signers else 'signature not checked'}, commit {commit}")
        for item in [*statement["subject"], *statement["predicate"]["runDetails"].get("byproducts", [])]:
            name, digest = item["name"], item["digest"]["sha256"]
            if name == "image-id":  # no file: what `podman images --no-trunc` shows
                said.append(f"{name}: sha256:{digest}")
                continue
            if Path(name).name != name or not (folder / name).is_file():
                raise Unverified(f"{name}: not there, but {path.name} names it")
            if _digest(folder / name) != digest:
                raise Unverified(f"{name}: its SHA-256 is not the one in {path.name}")
            known.add(name)
            said.append(f"{name}: as in {path.name}")
    others = sorted(
        {path.name for path in folder.iterdir()} - known - {path.name for path in folder.glob(f"*{_SIGNATURE}")}
    )
    if others:
        raise Unverified(f"{', '.join(others)}: no statement names it")
    return said


def _statement(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
        if _STATEMENTS[found["_type"]] == found["predicateType"] and found["subject"]:
            return dict(found)
    except (ValueError, KeyError, TypeError):
        pass
    raise Unverified(f"{path.name}: no in-toto statement with SLSA provenance, version 1")


def _commit(statement: dict[str, Any]) -> str:
    materials = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    return next((each["digest"]["gitCommit"] for each in materials if "gitCommit" in each.get("digest", {})), "unknown")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify_signature(path: Path, signers: Path) -> None:
    signature = path.with_name(path.name + _SIGNATURE)
    if not signature.is_file():
        raise Unverified(f"{path.name}: there is no signature {signature.name}")
    if (program := shutil.which("ssh-keygen")) is None:
        raise Unverified("ssh-keygen of OpenSSH is not installed")
    options: list[str | Path] = ["-Y", "verify", "-f", signers, "-I", IDENTITY, "-n", NAMESPACE, "-s", signature]
    with path.open("rb") as file:
        done = subprocess.run([program, *options], stdin=file, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise Unverified(f"{signature.name}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def main(arguments: Sequence[str]) -> int:
    """Verify what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.release.verify", description="Verify a release's files.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--signers", type=Path, help="allowed signers, as ssh-keygen reads them")
    given = parser.parse_args(arguments)
    try:
        print("\n".join(verify(given.folder, given.signers)))
    except Unverified as error:
        print(f"NOT VERIFIED: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
