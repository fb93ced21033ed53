"""The commands of the lab."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import __main__ as command
from lab import history
from lab.search import studies
from tests.lab import synthetic
from tests.lab.search import known_scores


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small histories and known scores."""
    monkeypatch.setattr(history, "read_all", lambda: synthetic.histories(known_scores.YEARS, known_scores.PAIRS))
    original = studies.Search
    monkeypatch.setattr(studies, "Search", lambda *on, **by: original(*on, **by, scoring=known_scores.score))
    known_scores.without_references(monkeypatch.setattr)


def test_search_shows_each_trial_and_writes_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["search", "--folder", str(tmp_path / "study"), "--results", str(tmp_path)]
    assert command.main([*arguments, "--minutes", "9", "--most", "1"]) == 0
    said = capsys.readouterr().err
    for kind in ("lstm 1", "gru 1", "tcn 1", "transformer 1", "trees 1", "mean 1"):
        assert kind in said
    found = json.loads((tmp_path / "search.json").read_text())
    assert len(found["trials"]) == 6
    assert found["made_with"]["seed"] == 1
    assert set(found["made_with"]["libraries"]) >= {"optuna", "keras", "lightgbm"}
    assert all(each["required_candles"] > 15 for each in found["trials"])
    assert command.main([*arguments, "--minutes", "0"]) == 0
    assert json.loads((tmp_path / "search.json").read_text()) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["search", "--minutes", "many"], "invalid float value: 'many'"),
        (["compare", "--results", "nowhere"], "No such file or directory: 'nowhere/search.json'"),
        (["walk-forward", "--results", "nowhere"], "No such file or directory: 'nowhere/compare.json'"),
        (["walk-forward", "--years", "soon"], "argument --years: invalid"),
    ],
)
def test_a_wrong_call_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
    assert message in capsys.readouterr().err.splitlines()[-1]
