"""Find words that speak of processes, requests and values as if they were people, and fail if there are any.

Such a word hides the subject, which may be a client, a worker or a retry. It is a fault unless a person is named right
before it, as in "an operator who", or the line gives a reason, `plain-english: REASON`. Words with a reason still count
towards the limits, so that a page cannot be full of them.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

# The words that are counted, also as a part of a name such as test_nobody_asks.  plain-english: an example
_WORDS = "who whoever whom nobody somebody someone anybody anyone everybody everyone"  # plain-english: the list itself
WORDS = re.compile(rf"(?<![a-z])({'|'.join(_WORDS.split())})(?![a-z])", re.IGNORECASE)
_PERSONS = "client operator user owner developer engineer caller reader author maintainer contributor person people"
_NAMED = re.compile(rf"\b({'|'.join(_PERSONS.split())})s?,? $", re.IGNORECASE)
_REASON = re.compile(r"plain-english: *\w+")

_CODE = {".py", ".toml", ".yml", ".yaml", ".sh", ".js", ".ts", ".mjs", ".html", ".css"}
_DOCUMENTS = {".md"}
_CODE_NAMES = {"Makefile", "run"}
_SKIPPED = {"build", "dist", "data", "node_modules", "__pycache__"}
# Counted words in a thousand lines.
LIMITS = {"code": 1.0, "documents": 2.0}


class Fault(NamedTuple):
    """An unexplained word; `line` counts from 1."""

    file: str
    line: int
    word: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.word!r}: name the person (client, operator, user) or the thing"


class Count(NamedTuple):
    """What one text has: its lines, the words in them, and those of the words that are not explained."""

    lines: int
    words: int
    faults: list[Fault]


def counted(text: str, file: str) -> Count:
    """Count the words of one text."""
    lines = text.splitlines()
    words, faults = 0, []
    for number, line in enumerate(lines, start=1):
        for found in WORDS.finditer(line):
            words += 1
            if not _NAMED.search(line[: found.start()]) and not _REASON.search(line):
                faults.append(Fault(file, number, found[0]))
    return Count(len(lines), words, faults)


def kind_of(path: Path) -> str | None:
    """Whether a file is code or a document, or neither."""
    if path.suffix in _DOCUMENTS:
        return "documents"
    return "code" if path.suffix in _CODE or path.name in _CODE_NAMES else None


def files(root: Path) -> Iterator[Path]:
    """All files of a checkout with words of ours in them, sorted; hidden folders other than .ci hold none."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(
            name for name in below if name == ".ci" or (not name.startswith(".") and name not in _SKIPPED)
        )
        yield from (path for name in sorted(names) if kind_of(path := Path(folder, name)) is not None)


def check(root: Path, paths: Iterable[Path]) -> tuple[dict[str, float], list[Fault]]:
    """The words in a thousand lines of each kind of file, and all faults."""
    lines = dict.fromkeys(LIMITS, 0)
    words = dict.fromkeys(LIMITS, 0)
    faults: list[Fault] = []
    for path in paths:
        kind = kind_of(path)
        if kind is None:
            continue
        found = counted(path.read_text("utf-8"), str(path.relative_to(root)))
        lines[kind] += found.lines
        words[kind] += found.words
        faults += found.faults
    return {kind: 1000 * words[kind] / max(lines[kind], 1) for kind in LIMITS}, faults


def main() -> None:
    """Print the shares and the faults; exit with 1 if there is a fault or a share is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path.cwd(), help="the checkout; default: this folder")
    root = parser.parse_args().root.resolve()
    shares, faults = check(root, files(root))
    for fault in faults:
        print(fault)
    for kind, share in shares.items():
        print(f"plain English: {share:.2f} counted words per 1,000 lines of {kind} (limit {LIMITS[kind]:g})")
    if faults:
        print("Where the word has to stay, end its line with a comment 'plain-english: REASON'.")
    sys.exit(1 if faults or any(share >= LIMITS[kind] for kind, share in shares.items()) else 0)


if __name__ == "__main__":
    main()
