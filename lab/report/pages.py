"""Fill the tables of the lab's pages, so that every figure there comes from a run.

A table stands between `<!-- lab: NAME -->` and `<!-- end -->`. NAME is a key of lab.report.tables.TABLES. A table stays
unchanged if its results do not exist.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from lab.report import pictures
from lab.report.tables import TABLES, Result

_MARKED = re.compile(r"(<!-- lab: ([\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, results: Mapping[str, Result]) -> str:
    """The text with its tables made again. Raises KeyError for the name of a table that does not exist."""

    def replace(match: re.Match[str]) -> str:
        file, make = TABLES[match[2]]
        return match[0] if file not in results else f"{match[1]}\n{make(results[file])}\n{match[3]}"

    return _MARKED.sub(replace, text)


def write(folder: Path, docs: Path) -> list[str]:
    """Fill the pages `lab*.md` of a folder, and draw the pictures beside them. Returns what was written."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    said = []
    for page in sorted(docs.glob("lab*.md")):
        page.write_text(filled(page.read_text(), results))
        said.append(f"{page}: filled")
    for name in pictures.PICTURES:
        path = docs / f"lab-{name.replace('_', '-')}.svg"
        if name in results:
            pictures.save(name, results[name], path)
            said.append(f"{path}: drawn")
        else:
            said.append(f"{path}: no {name}.json in {folder}, unchanged")
    return said
