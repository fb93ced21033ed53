"""Statements of provenance for the wheel and the image: in-toto statements with SLSA's predicate, version 1."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from tools.release import image, lock, page
from tools.release.materials import sbom_of
from tools.release.steps import FOLDER, ROOT, StepFailed, output
from tools.release.versions import version_of
from tools.release.wheel import names

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
SUFFIX = ".intoto.json"
# The name of a subject that is no file.
IMAGE_ID = "image-id"
# docs/release.md says what these builds do.
_BUILD_TYPE = "urn:reversal:build:{}:1"
# A person's machine. A service that builds names itself in BUILDER.
_BUILDER = "urn:reversal:builder:make-release-check"


class Made(NamedTuple):
    """What a build has made. `locks`: of requirements/. `others`: materials beside these. `image_id`: for an image."""

    kind: str
    files: list[Path]
    locks: tuple[str, ...]
    others: list[dict[str, Any]]
    image_id: str | None = None


def make(began: datetime) -> str:
    """Write a statement for each build. Raises StepFailed if a file is missing, or if the files are of no commit."""
    if output("git", "status", "--porcelain", "--untracked-files=no").strip():
        raise StepFailed("there are changes that are not committed, so no commit is the source")
    wheel = [FOLDER / name for name in names()]
    missing = [path.name for path in wheel if not path.exists()]
    if missing:
        raise StepFailed(f"not built: {', '.join(missing)}")
    builds = [Made("wheel", wheel, ("build", "dashboard", "serve"), page.locked())]
    if (archive := image.archive()).exists():
        found = image.contents(archive)
        parts = [{"uri": image.purl(each)} for each in found.packages]
        others = [_base(), *parts, *page.locked()]
        builds.append(Made("image", [archive], ("dashboard", "serve"), others, found.digest))
    for build in builds:
        path = FOLDER / f"reversal-{version_of()}-{build.kind}{SUFFIX}"
        path.write_text(json.dumps(statement(build, began), indent=1) + "\n")
    return f"statements of {' and '.join(build.kind for build in builds)}"


def statement(build: Made, began: datetime) -> dict[str, Any]:
    """The statement of a build that began at that time and has ended now."""
    subjects = [named(path) for path in build.files]
    if build.image_id is not None:  # `podman images --no-trunc` shows it
        subjects.append({"name": IMAGE_ID, "digest": {"sha256": build.image_id.removeprefix("sha256:")}})
    locks = [each for name in build.locks for each in locked(ROOT / "requirements" / f"{name}.txt")]
    bills = [sbom_of(path) for path in build.files]
    predicate = {
        "buildDefinition": {
            "buildType": _BUILD_TYPE.format(build.kind),
            "externalParameters": {"version": version_of(), "source": _source()["uri"]},
            "internalParameters": {"python": platform.python_version(), "machine": platform.machine()},
            "resolvedDependencies": [_source(), *locks, *build.others],
        },
        "runDetails": {
            "builder": {"id": os.environ.get("BUILDER") or _BUILDER},
            "metadata": {"startedOn": _instant(began), "finishedOn": _instant(datetime.now(UTC))},
            "byproducts": [named(path) for path in bills if path.exists()],
        },
    }
    return {"_type": STATEMENT, "subject": subjects, "predicateType": PREDICATE, "predicate": predicate}


def named(path: Path) -> dict[str, Any]:
    """A file with its digest."""
    return {"name": path.name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}


def locked(path: Path) -> list[dict[str, Any]]:
    """A lock, and each of its packages with the hashes of the files that pip accepts.

    A package has files for many machines. The lock allows each of them, so their digests are an annotation: a `digest`
    would say that this very file was used.
    """
    whole = {"uri": f"requirements/{path.name}", "digest": named(path)["digest"]}
    return [whole, *({"uri": each.purl, "annotations": {"sha256": list(each.hashes)}} for each in lock.read(path))]


def _source() -> dict[str, Any]:
    address = os.environ.get("SOURCE_URL") or "urn:reversal:source"
    return {"uri": f"git+{address}", "digest": {"gitCommit": output("git", "rev-parse", "HEAD").strip()}}


def _base() -> dict[str, Any]:
    name, _, digest = image.base().partition("@sha256:")
    return {"uri": f"docker://{name}", **({"digest": {"sha256": digest}} if digest else {})}


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
