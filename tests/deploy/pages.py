"""The pages of the deployment guide as blocks of commands, with the output that is shown below them."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.market import ROOT

# In the order in which they are read and run.
PAGES = (
    "deployment-install.md",
    "deployment.md",
    "deployment-versions.md",
    "deployment-backup.md",
    "deployment-upgrade.md",
)
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#{2,3}) (.*)$", re.MULTILINE)


class Block(NamedTuple):
    """Commands, and the lines that they print. `…` in a line stands for anything."""

    commands: str
    shown: tuple[str, ...]

    def first_difference(self, output: str) -> str | None:
        """The first shown line that is not in the output, behind the one before; None if there is none."""
        rest = iter(output.splitlines())
        for line in self.shown:
            pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
            if not any(pattern.search(each) for each in rest):
                return line
        return None


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text()


def troubleshooting() -> list[str]:
    """The pages of symptoms."""
    return sorted(path.name for path in (ROOT / "docs").glob("troubleshooting*.md"))


def blocks(text: str) -> list[Block]:
    """The ```sh blocks of a text. A ```text block shows what the commands before it print."""
    found: list[Block] = []
    for language, contents in _FENCED.findall(text):
        if language == "sh":
            found.append(Block(contents, ()))
        elif language == "text":
            found[-1] = Block(found[-1].commands, tuple(contents.splitlines()))
        else:
            assert not language, f"the guide has a block of {language}, which is not run"
    return found


def entries(text: str) -> dict[str, tuple[Block, ...]]:
    """The blocks of each third-level heading."""
    parts = _HEADING.split(text)
    found = {}
    for level, name, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if level == "###":
            found[name] = tuple(blocks(body))
        else:
            assert not blocks(body), f"{name}: commands outside an entry"
    return found
