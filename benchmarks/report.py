"""Fill the tables of the pages in PAGES from build/*.json, so that every figure there comes from a run.

A table stands between `<!-- FILE.KEY: COLUMNS -->` and `<!-- end -->`. FILE is a file in build/ without `.json`, KEY is
a key in it, and COLUMNS are the columns to show, separated by commas. Without COLUMNS all are shown.
`COLUMN as HEADING` replaces the heading that is made from the column's name. A table stays unchanged if its result does
not exist.

Four results are computed here: `bare` (medians of pytest-benchmark's file), `budget` (each limit with the figure found
for it), `promises` (the number of limits by verdict) and `headline` (the rows of whole.closed that answer "how fast?").
The tables `plan.KEY` of capacity.md are computed by `benchmarks.capacity.plan` from those of capacity-measured.md.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks import budget
from benchmarks.capacity import plan
from benchmarks.machine import BUILD, ROOT

BUDGET = ROOT / "docs" / "benchmarks.md"
MEASURED, CAPACITY = ROOT / "docs" / "capacity-measured.md", ROOT / "docs" / "capacity.md"
# The page that is computed follows the page that it is computed from.
OTHERS = [ROOT / "docs" / f"{name}.md" for name in ("dashboard-stream", "replay", "several-machines")]
PAGES = [*sorted((ROOT / "docs").glob("benchmarks*.md")), *OTHERS, MEASURED, CAPACITY]
MARKED = re.compile(r"(<!-- ([\w.-]+)(?:: ([^\n]*?))? -->\n).*?(<!-- end -->)", re.DOTALL)
_NUMBER = re.compile(r"-?[\d,]+(\.\d+)?(e[+-]\d+)?")
_THOUSANDS = 1000
Row: TypeAlias = dict[str, Any]


def filled(text: str, results: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return the text with new tables, and the names of the tables that have no result."""
    missing: list[str] = []

    def replace(match: re.Match[str]) -> str:
        opening, name, columns, end = match.groups()
        try:
            found = at(results, name)
        except KeyError:
            missing.append(name)
            return match[0]
        return f"{opening}\n{table(rows(found), columns.split(', ') if columns else ())}\n{end}"

    return MARKED.sub(replace, text), missing


def shown(text: str) -> dict[str, list[Row]]:
    """Return the rows of the tables that stand in a text, by the names of their columns; empty cells are left out."""
    found = {}
    for match in MARKED.finditer(text):
        if match[3]:
            names = [_column(each)[0] for each in match[3].split(", ")]
            lines = [line[2:-2].split(" | ") for line in match[0].splitlines() if line.startswith("|")][2:]
            found[match[2]] = [
                {name: _value(cell) for name, cell in zip(names, line, strict=True) if cell} for line in lines
            ]
    return found


def _value(cell: str) -> str | float:
    """Return the number in a cell, or its text."""
    return float(cell.replace(",", "")) if _NUMBER.fullmatch(cell) else cell


def planned(text: str, measured: str) -> str:
    """Return the text with the tables of the plan that follow from the tables of another page."""
    return filled(text, {"plan": plan.tables(shown(measured))})[0]


def at(results: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value at a path of keys with dots between them. Raises KeyError."""
    found: Any = results
    for key in path.split("."):
        found = found[int(key) if isinstance(found, list) else key]
    return found


def rows(found: Any) -> list[Row]:  # noqa: ANN401 - any JSON value
    """Return the rows of a list, or one row per entry of a mapping; nested keys are joined with dots."""
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
    """Return a Markdown table. The cell of a column that a row lacks is empty."""
    chosen = [_column(each) for each in columns or dict.fromkeys(key for row in shown for key in row)]
    lines = [[heading for _, heading in chosen], ["---"] * len(chosen)]
    lines += [[_cell(row.get(name, "")) for name, _ in chosen] for row in shown]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _column(text: str) -> tuple[str, str]:
    """Return the name and the heading of a column written as `NAME` or `NAME as HEADING`."""
    name, _, heading = text.partition(" as ")
    return name, heading or name.replace("_", " ").replace(".", " ")


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= _THOUSANDS else f"{value:.3g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def bare(result: Row) -> Row:
    """Return the medians of pytest-benchmark's file as a list of rows for each function."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for each in result["benchmarks"]:
        row = dict(each["params"] or {}) | {"median_us": 1e6 * each["stats"]["median"]}
        if "windows" in row:
            row["us_a_window"] = row["median_us"] / row["windows"]
        found[each["name"].partition("[")[0].removeprefix("test_")].append(row)
    return {"machine": result["machine_info"]} | found


def against_budget(lines: Sequence[budget.Line], results: Mapping[str, Any], standing: Sequence[Row] = ()) -> list[Row]:
    """Return each line of the budget with its figures and verdict, or with "not measured".

    standing: the rows of the page, as of `shown`. A line without a result keeps the figure that stands there, because
    the lines are measured by several commands.
    """
    before = {row["what"]: str(row["found"]) for row in standing if "found" in row}
    found = []
    for line in lines:
        try:
            values = results["check"]["found"][line.key] if line.result is None else [at(results, line.result)]
        except KeyError:
            values = [float(value) for value in before[line.what].split(", ")] if line.what in before else []
        verdict = line.verdict(tuple(values)) if values else "not measured"
        found.append(
            {"what": line.what, "limit": line.limit, "noise": f"{line.noise:.0%}", "found": values, "verdict": verdict}
        )
    return found


def promises(judged: Sequence[Row]) -> list[Row]:
    """Return the number of budget lines for each verdict, the most frequent first."""
    counted = Counter(row["verdict"] for row in judged)
    return [{"verdict": verdict, "limits": count} for verdict, count in counted.most_common()]


def headline(closed: Sequence[Row]) -> list[Row]:
    """Return the rows of whole.closed for the server without an experiment, at 1 and at 32 connections."""
    return [
        row
        for row in closed
        if row["server"] != "echo"
        and row["experiment"] == "none"
        and row["body"] in {"features", "120 candles"}
        and row["connections"] in {1, 32}
    ]


def read(folder: Path, standing: Sequence[Row] = ()) -> dict[str, Any]:
    """Return all results of a folder by file name, and the results that are computed from them.

    standing: see against_budget.
    """
    results = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    if "bare" in results:
        results["bare"] = bare(results["bare"])
    if "whole" in results:
        results["headline"] = headline(results["whole"]["closed"])
    if "check" in results:
        judged = against_budget(budget.read(), results, standing)
        results |= {"budget": judged, "promises": promises(judged)}
    return results


def main() -> None:
    """Fill all pages, and print the tables that were left unchanged."""
    results = read(BUILD, shown(BUDGET.read_text())["budget"])
    for page in PAGES:
        if page == CAPACITY:
            page.write_text(planned(page.read_text(), MEASURED.read_text()))
            continue
        text, missing = filled(page.read_text(), results)
        page.write_text(text)
        for name in missing:
            print(f"{page.name}, {name}: no result in {BUILD.name}/, the table is unchanged")


if __name__ == "__main__":
    main()
