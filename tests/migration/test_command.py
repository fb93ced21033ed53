"""The command that imports the old service's experiments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.journals.drainer import Drainer
from core.store import open_store
from core.store.interface import Store
from migration.__main__ import main
from server.settings import Settings

OLD = {
    "experiment_id": "v30_vs_v31",
    "name": "Old",
    "variant_a": "v1",
    "variant_b": "v2",
    "traffic_split": 0.5,
    "created_at": "2025-10-16T09:00:00",
    "active": True,
    "predictions": {"A": {"count": 2, "signals": {"long": 2}, "total_confidence": 1.5, "avg_confidence": 0.75}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "experiments"
    folder.mkdir()
    (folder / "old.json").write_text(json.dumps(OLD))
    return folder


@pytest.fixture
def command(settings: Settings, folder: Path) -> list[str]:
    flags = {"--models": settings.models, "--state-url": settings.state_url, "--journals": settings.journals}
    return [str(folder), *(str(word) for flag in flags.items() for word in flag)]


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    store = open_store(settings.state_url)
    try:
        yield store
    finally:
        store.close()


def test_imports_are_printed_and_a_second_import_changes_nothing(
    command: list[str], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 0
    assert capsys.readouterr().out == "v30_vs_v31: imported\n"
    with opened(settings) as store:
        before = store.state()
        assert before.experiment is not None
        assert before.experiment.imported is not None
    assert main(command) == 0
    assert capsys.readouterr().out == "v30_vs_v31: imported before, not changed\n"
    with opened(settings) as store:
        assert store.state() == before


def test_refused_files_are_named_and_nothing_is_imported(
    command: list[str], settings: Settings, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "worse.json").write_text("{}")
    assert main(command) == 1
    first, *problems = capsys.readouterr().err.splitlines()
    assert first == "nothing is imported"
    assert [problem.split(": ")[:2] for problem in problems] == [["worse.json", "experiment_id"]]
    with opened(settings) as store:
        assert store.experiments() == []


def test_import_is_refused_while_the_server_runs(
    command: list[str], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    drainer = Drainer(settings.journal_folder)
    assert main(command) == 1
    assert "nothing is imported" in capsys.readouterr().err
    drainer.close()
    assert main(command) == 0


def test_a_store_that_cannot_be_opened_is_an_error(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    command[command.index("--state-url") + 1] = f"sqlite:///{tmp_path}/file/state.db"
    assert main(command) == 1
    assert "nothing is imported" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["FOLDER", "--models", "/nowhere"]])
def test_a_bad_call_prints_a_message_and_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err
