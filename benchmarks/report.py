"""Fills the tables of docs/benchmarks.md from build/*.json, so that every figure there comes from a run.

A table stands between `<!-- FILE.KEY: COLUMNS -->` and `<!-- end -->`: FILE of build/, KEY in it, and the columns to
show, all of them if none is named. A table whose file is not there stays as it is.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks import budget
from benchmarks.machine import BUILD, ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
_MARKED = re.compile(r"(<!-- ([\w.-]+)(?:: ([^\n]*?))? -->\n).*?(<!-- end -->)", re.DOTALL)
_THOUSANDS = 1000
Row: TypeAlias = dict[str, Any]


def filled(text: str, results: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The text with its tables made anew, and the names of those for which there is no result."""
    missing: list[str] = []

    def replace(match: re.Match[str]) -> str:
        opening, name, columns, end = match.groups()
        try:
            found = at(results, name)
        except KeyError:
            missing.append(name)
            return match[0]
        return f"{opening}\n{table(rows(found), columns.split(', ') if columns else ())}\n{end}"

    return _MARKED.sub(replace, text), missing


def at(results: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - whatever a benchmark has written
    """What stands at keys with dots between them; raises KeyError."""
    found: Any = results
    for key in path.split("."):
        found = found[int(key) if isinstance(found, list) else key]
    return found


def rows(found: Any) -> list[Row]:  # noqa: ANN401 - whatever a benchmark has written
    """A list of rows as it is; of a mapping its entries, each a row or a value; nested ones flat, with dots."""
    if isinstance(found, list):
        return [dict(_flat(row)) for row in found]
    entries = {key: value for key, value in found.items() if key != "machine"}
    if any(isinstance(value, dict) for value in entries.values()):
        return [{"": key} | dict(_flat(value)) for key, value in entries.items() if isinstance(value, dict)]
    return [{"": key, "value": value} for key, value in entries.items()]


def _flat(row: Row, before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def table(shown: Sequence[Row], columns: Sequence[str]) -> str:
    """Markdown. A row without some column has nothing there."""
    names = columns or list(dict.fromkeys(key for row in shown for key in row))
    lines = [[name.replace("_", " ").replace(".", " ") for name in names], ["---"] * len(names)]
    lines += [[_cell(row.get(name, "")) for name in names] for row in shown]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: Any) -> str:  # noqa: ANN401 - whatever a benchmark has written
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= _THOUSANDS else f"{value:.3g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def bare(result: Row) -> Row:
    """The medians of pytest-benchmark's file: a list of rows for each function."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for each in result["benchmarks"]:
        row = dict(each["params"] or {}) | {"median_us": 1e6 * each["stats"]["median"]}
        if "windows" in row:
            row["us_a_window"] = row["median_us"] / row["windows"]
        found[each["name"].partition("[")[0].removeprefix("test_")].append(row)
    return {"machine": result["machine_info"]} | found


def against_budget(lines: Sequence[budget.Line], results: Mapping[str, Any]) -> list[Row]:
    """Each line with what was found, as far as it was measured."""
    found = []
    for line in lines:
        try:
            values = results["check"]["found"][line.key] if line.result is None else [at(results, line.result)]
        except KeyError:
            values = []
        verdict = line.verdict(tuple(values)) if values else "not measured"
        found.append(
            {"what": line.what, "limit": line.limit, "noise": f"{line.noise:.0%}", "found": values, "verdict": verdict}
        )
    return found


def read(folder: Path) -> dict[str, Any]:
    """All results of a folder by their file's name, and what the budget makes of them."""
    results = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    if "bare" in results:
        results["bare"] = bare(results["bare"])
    return results | {"budget": against_budget(budget.read(), results)}


def main() -> None:
    """Fill the document, and tell what was left as it was."""
    text, missing = filled(DOCUMENT.read_text(), read(BUILD))
    DOCUMENT.write_text(text)
    for name in missing:
        print(f"{name}: no result in {BUILD.name}/, left as it was")


if __name__ == "__main__":
    main()
