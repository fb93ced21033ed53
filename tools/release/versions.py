"""The version of a release, and its section of the changelog."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import NamedTuple

from tools.release.steps import ROOT, StepFailed, output

# Semantic Versioning 2.0.0, without the build metadata, which Python's versions spell in another way.
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
# Of our image; the image of bundles has tags of its own.
_TAGS = re.compile(r"^ *- name: reversal\n(?: +newName: .*\n)? +newTag: (\S+)$", re.MULTILINE)
_KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")  # of Keep a Changelog


class Section(NamedTuple):
    """A release in the changelog. `day` is None for what is not released; `entries` are by kind."""

    version: str
    day: str | None
    entries: dict[str, list[str]]


def check_version(root: Path = ROOT) -> str:
    """The version is one, is the same in all places that name it, and has no tag yet. Raises StepFailed."""
    version = version_of(root)
    if not _VERSION.fullmatch(version):
        raise StepFailed(f"core/version.py: {version!r} is no version such as 1.2.3")
    places = _places(root)
    wrong = [f"{place} has {found}" for place, found in places if found != version]
    if wrong:
        raise StepFailed(f"core/version.py has {version}, but {', '.join(wrong)}")
    if output("git", "tag", "--list", f"v{version}", folder=root).strip():
        raise StepFailed(f"the tag v{version} exists: set the next version in core/version.py")
    return f"{version}, as in {len(places)} other places; there is no tag v{version}"


def version_of(root: Path = ROOT) -> str:
    """The version in core/version.py, whatever it is."""
    found = re.search(r'^VERSION = "(.*)"$', (root / "core" / "version.py").read_text(), re.MULTILINE)
    if found is None:
        raise StepFailed("core/version.py: there is no VERSION")
    return found[1]


def _places(root: Path) -> list[tuple[str, str]]:
    found = [
        (path.relative_to(root).as_posix(), tag)
        for path in sorted((root / "deploy").rglob("kustomization.yaml"))
        for tag in _TAGS.findall(path.read_text())
    ]
    client = root / "clients" / "node"
    package = json.loads((client / "package.json").read_text())
    lock = json.loads((client / "package-lock.json").read_text())
    found.append(("clients/node/package.json", str(package.get("version"))))
    found += [("clients/node/package-lock.json", str(each.get("version"))) for each in (lock, lock["packages"][""])]
    return found


def check_changelog(root: Path = ROOT) -> str:
    """The changelog has the form of Keep a Changelog, and says something of this version. Raises StepFailed."""
    found = sections((root / "CHANGELOG.md").read_text())
    version = version_of(root)
    by_version = {section.version: section for section in found}
    if version in by_version:
        if by_version["Unreleased"].entries:
            raise StepFailed(f"CHANGELOG.md: Unreleased has entries above the section of {version}")
        if found[1].version != version:
            raise StepFailed(f"CHANGELOG.md: {version} is not the section below Unreleased")
        section = by_version[version]
    else:
        section = by_version["Unreleased"]
    if not section.entries:
        raise StepFailed(f"CHANGELOG.md: {section.version} is empty")
    count = sum(len(entries) for entries in section.entries.values())
    name = section.version if section.day else f"{version} is not released yet: Unreleased"
    return f"{name} has {count} entries"


def sections(text: str) -> list[Section]:
    """The sections of a changelog, the newest first. Raises StepFailed with the line of what is wrong."""
    found: list[Section] = []
    kind = None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("## "):
            found.append(_section(line, number))
            kind = None
        elif line.startswith("### "):
            kind = line.removeprefix("### ")
            if not found or kind not in _KINDS:
                raise StepFailed(f"CHANGELOG.md, line {number}: {line!r}, expected one of {', '.join(_KINDS)}")
            if kind in found[-1].entries:
                raise StepFailed(f"CHANGELOG.md, line {number}: {kind} is there twice")
            found[-1].entries[kind] = []
        elif line.startswith("- "):
            if kind is None:
                raise StepFailed(f"CHANGELOG.md, line {number}: an entry without a heading such as ### Added")
            found[-1].entries[kind].append(line)
    if not found or found[0].version != "Unreleased":
        raise StepFailed("CHANGELOG.md: the first section is not ## Unreleased")
    _check_order(found)
    return found


def _section(line: str, number: int) -> Section:
    title = re.fullmatch(r"## (?:Unreleased|(\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d))", line)
    if title is None:
        raise StepFailed(f"CHANGELOG.md, line {number}: {line!r}, expected ## Unreleased or ## 1.2.3 - 2026-12-01")
    version, day = title.groups()
    try:
        date.fromisoformat(day or "2026-12-01")
    except ValueError:
        raise StepFailed(f"CHANGELOG.md, line {number}: {day} is no day") from None
    return Section(version or "Unreleased", day, {})


def _check_order(found: list[Section]) -> None:
    numbers = [tuple(map(int, section.version.split("."))) for section in found[1:] if section.day]
    if len(numbers) != len(found) - 1 or numbers != sorted(set(numbers), reverse=True):
        raise StepFailed("CHANGELOG.md: the sections are not in order, the newest version first, each once")
