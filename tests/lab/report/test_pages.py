"""The pages of the lab stand for the committed results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.report import pages, pictures, tables
from tests.market import ROOT

RESULTS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "lab" / "results").glob("*.json")}
PAGES = sorted((ROOT / "docs").glob("lab*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_the_figures_of_the_committed_results(page: Path) -> None:
    text = page.read_text()
    assert pages.filled(text, RESULTS) == text


def test_every_table_is_on_a_page() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert [name for name in tables.TABLES if f"<!-- lab: {name} -->" not in text] == []


def test_a_table_without_results_is_unchanged_and_an_unknown_one_is_an_error() -> None:
    text = "<!-- lab: search.kinds -->\nold\n<!-- end -->"
    assert pages.filled(text, {}) == text
    with pytest.raises(KeyError):
        pages.filled("<!-- lab: search.other -->\n<!-- end -->", {})


def test_the_search_has_what_the_pages_promise() -> None:
    trials: list[dict[str, Any]] = RESULTS["search"]["trials"]
    kinds = [each["kind"] for each in trials]
    assert len(trials) >= 60
    assert max(map(kinds.count, set(kinds))) - min(map(kinds.count, set(kinds))) <= 1
    assert set(kinds) == {"lstm", "gru", "tcn", "transformer", "trees", "mean"}
    assert len(RESULTS["search"]["pairs"]) >= 3
    for each in trials:
        assert each["state"] == "pruned" or len(each["folds"]) >= 2


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_the_same_figures_give_the_same_picture(name: str, tmp_path: Path) -> None:
    for path in (tmp_path / "a.svg", tmp_path / "b.svg"):
        pictures.save(name, RESULTS[name], path)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (ROOT / "docs" / f"lab-{name.replace('_', '-')}.svg").exists()


def test_writing_fills_pages_and_draws_pictures(tmp_path: Path) -> None:
    results, docs = tmp_path / "results", tmp_path / "docs"
    results.mkdir()
    docs.mkdir()
    (results / "search.json").write_text(json.dumps(RESULTS["search"]))
    (docs / "lab.md").write_text("<!-- lab: search.made -->\n<!-- end -->\n<!-- lab: compare.means -->\n<!-- end -->\n")
    said = pages.write(results, docs)
    assert f"{len(RESULTS['search']['trials'])} trials" in (docs / "lab.md").read_text()
    assert (docs / "lab-search.svg").exists()
    assert [line for line in said if "no compare.json" in line]
    assert sorted(path.name for path in docs.iterdir()) == ["lab-search.svg", "lab.md"]
