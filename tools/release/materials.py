"""Bills of materials of the wheel and of the image."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tools.release import image, lock
from tools.release.steps import FOLDER, ROOT, StepFailed, logged
from tools.release.versions import version_of
from tools.release.wheel import names


def sbom_of(file: Path) -> Path:
    """The place of the bill of materials of a file."""
    return file.with_name(f"{file.name}.cdx.json")


def make() -> str:
    """Make them by `make sbom`, add the packages of the image's root, and compare both with the lock."""
    logged("sbom", ["make", "sbom"], _outside_make())
    sbom = json.loads((ROOT / "build" / "sbom.json").read_text())
    locked = lock.read(ROOT / "requirements" / "serve.txt")
    check(sbom, locked)
    (FOLDER / names()[0]).parent.mkdir(parents=True, exist_ok=True)
    _write(sbom_of(FOLDER / names()[0]), sbom)
    said = f"wheel: {len(locked)} packages"
    if image.archive().exists():
        found = image.contents(image.archive())
        if not found.packages:
            raise StepFailed(f"{image.archive().name} has no list of Debian's packages")
        _write(sbom_of(image.archive()), image.with_debian(sbom, found))
        said += f"; image: {len(found.packages)} more of Debian"
    return said


def check(sbom: dict[str, Any], locked: list[lock.Locked]) -> None:
    """The bill has each package of the lock with all its hashes, and the version. Raises StepFailed."""
    about = sbom["metadata"]["component"]
    if (about["name"], about["version"]) != ("reversal", version_of()):
        raise StepFailed(f"the bill of materials is of {about['name']} {about['version']}")
    found = {each["name"]: each for each in sbom["components"]}
    wrong = [
        package.name
        for package in locked
        if package.name not in found
        or found[package.name]["version"] != package.version
        or not set(package.hashes) <= _hashes(found[package.name])
    ]
    if wrong or len(found) != len(locked):
        raise StepFailed(f"the bill of materials is not that of requirements/serve.txt: {', '.join(wrong)}")


def _hashes(component: dict[str, Any]) -> set[str]:
    files = [component, *component.get("externalReferences", [])]
    return {each["content"] for file in files for each in file.get("hashes", []) if each["alg"] == "SHA-256"}


def _write(path: Path, sbom: dict[str, Any]) -> None:
    path.write_text(json.dumps(sbom, indent=1, sort_keys=True) + "\n")


def _outside_make() -> dict[str, str]:
    # The flags of the make that called this are not those of another one.
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
