"""The licences of what a server installs, from the metadata of the installed packages.

python -m tools.release.licences     fills the table of docs/licences.md
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from tools.release import lock
from tools.release.steps import ROOT, StepFailed

PAGE = ROOT / "docs" / "licences.md"
# What may be used beside a server under MIT. The weak copyleft of the last row asks nothing of a program that imports
# an unchanged library; strong copyleft (GPL, AGPL) does.
ALLOWED = frozenset(
    {
        *("MIT", "MIT-0", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "ISC", "Zlib", "CC0-1.0"),
        *("LGPL-3.0-only", "MPL-2.0"),
    }
)
# Metadata from before SPDX expressions: what it says, and the expression.
_SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "MIT License": "MIT",
}
# Each lock with its place in the table. Packages of the first are in the others as well.
_LOCKS = {"serve": "server", "grpc": "extra `grpc`", "otel": "extra `otel`"}
_TABLE = re.compile(r"(?<=\|---\|---\|---\|\n)(?:\|.*\n)*")


def check(root: Path = ROOT) -> str:
    """Each licence is allowed, and the page has it. Raises StepFailed."""
    rows = found(root)
    wrong = [f"{name}: {licence}" for name, licence, _ in rows if not allowed(licence)]
    if wrong:
        raise StepFailed(f"not in the list of tools/release/licences.py: {', '.join(wrong)}")
    if _TABLE.findall(PAGE.read_text()) != [table(rows)]:
        raise StepFailed("docs/licences.md is not what is installed: python -m tools.release.licences")
    kinds = {licence for _, licence, _ in rows}
    return f"{len(rows)} packages, {len(kinds)} licences, all allowed and in docs/licences.md"


def found(root: Path = ROOT) -> list[tuple[str, str, str]]:
    """The name of each package, its licence as an SPDX expression, and where it is installed."""
    rows: dict[str, tuple[str, str, str]] = {}
    for file, place in _LOCKS.items():
        for package in lock.read(root / "requirements" / f"{file}.txt"):
            if package.name not in rows:
                rows[package.name] = (package.name, expression(package.name), place)
    return list(rows.values())


def expression(name: str) -> str:
    """The licence of an installed package. Raises StepFailed if it is not installed or does not say it."""
    try:
        metadata = Distribution.from_name(name).metadata
    except PackageNotFoundError:
        raise StepFailed(f"{name} is not installed here") from None
    (said,) = metadata.get_all("License-Expression") or metadata.get_all("License") or [""]
    if not said:
        raise StepFailed(f"{name} names no licence in its metadata")
    return _SPELLINGS.get(said, str(said))


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met with allowed licences only: all parts of AND, one part of OR."""
    text = expression.strip()
    while _enclosed(text):
        text = text[1:-1].strip()
    for word, meet in (("OR", any), ("AND", all)):
        parts = _split(text, word)
        if len(parts) > 1:
            return meet(map(allowed, parts))
    return text in ALLOWED


def _split(text: str, word: str) -> list[str]:
    """Split at a word outside of parentheses."""
    parts, depth = [""], 0
    for each in re.findall(r"[()]|[^\s()]+", text):
        depth += (each == "(") - (each == ")")
        if each == word and depth == 0:
            parts.append("")
        else:
            parts[-1] += f" {each}"
    return parts


def _enclosed(text: str) -> bool:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return letter == ")" and place == len(text) - 1
    return False


def table(rows: list[tuple[str, str, str]]) -> str:
    """The rows of the page's table."""
    return "".join(f"| {name} | {licence} | {place} |\n" for name, licence, place in rows)


def main() -> None:
    """Fill the table of the page."""
    PAGE.write_text(_TABLE.sub(lambda _: table(found()), PAGE.read_text()))


if __name__ == "__main__":
    main()
