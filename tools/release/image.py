"""The container image as a file: built and tried by the container's tests, and read without a container program."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

from tools.release.steps import FOLDER, ROOT, NoResult, tested
from tools.release.versions import version_of

PROGRAMS = ("buildah", "podman", "crun")
_STATUS = "var/lib/dpkg/status.d/"


class Contents(NamedTuple):
    """What an image says it holds: its id, and the control file of each package of Debian."""

    digest: str
    packages: list[dict[str, str]]


def archive() -> Path:
    """The file of the image, as `podman load` and `docker load` read it."""
    return FOLDER / f"reversal-{version_of()}-image.tar"


def base(root: Path = ROOT) -> str:
    """The base that deploy/container/base.txt names, with its digest in a release."""
    return (root / "deploy" / "container" / "base.txt").read_text().strip()


def build() -> str:
    """Build the image, keep it, and run the tests of the container with it. Raises StepFailed or NoResult.

    Without a digest in base.txt the base is made of Debian's archive instead, as tests do it.
    """
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or os.geteuid():
        raise NoResult(f"needs to be root, and Debian's {', '.join(missing) or 'packages'}")
    archive().unlink(missing_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    pinned = {"TEST_IMAGE_BASE": base()} if "@" in base() else {}
    said = tested(
        "image", ["-m", "long", "tests/deploy/test_container.py"], TEST_IMAGE_ARCHIVE=str(archive()), **pinned
    )
    return f"{archive().name}, {contents(archive()).digest[:19]}…; {said}"


def contents(path: Path) -> Contents:
    """Read an archive in Docker's format."""
    with tarfile.open(path) as files:
        (image,) = json.loads(_content(files, "manifest.json"))
        packages = []
        for layer in image["Layers"]:
            with tarfile.open(fileobj=files.extractfile(layer)) as inner:
                names = [member.name for member in inner if member.isfile()]
                wanted = [name for name in names if name.removeprefix("./").startswith(_STATUS)]
                packages += [_control(_content(inner, name).decode()) for name in wanted]
    digest = Path(image["Config"]).name.removesuffix(".json")
    return Contents(f"sha256:{digest}", sorted(packages, key=lambda each: each["Package"]))


def _content(files: tarfile.TarFile, name: str) -> bytes:
    found = files.extractfile(name)
    assert found is not None, name  # noqa: S101 - the names are those of files
    with found:
        return found.read()


def _control(text: str) -> dict[str, str]:
    pairs = (line.partition(": ") for line in text.splitlines() if not line.startswith(" "))
    return {name: value for name, _, value in pairs}


def purl(package: dict[str, str]) -> str:
    """The package URL of a package of Debian."""
    name, version, machine = (package[field] for field in ("Package", "Version", "Architecture"))
    return f"pkg:deb/debian/{name}@{version}?arch={machine}&distro=debian-12"


def with_debian(sbom: dict[str, Any], found: Contents) -> dict[str, Any]:
    """The bill of materials of the server, with Debian's packages."""
    components = [
        {
            "bom-ref": f"debian-{each['Package']}",
            "name": each["Package"],
            "purl": purl(each),
            "type": "library",
            "version": each["Version"],
        }
        for each in found.packages
    ]
    return sbom | {"components": [*sbom["components"], *components]}
