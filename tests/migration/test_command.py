"""The command that imports the old service's experiments, and the server that follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from core.journals.drainer import Drainer
from core.store import open_store
from core.store.interface import Store
from migration.__main__ import SOME_LEFT, main
from server.settings import Settings
from tests.application import Build
from tests.market import ONNX, ROOT
from tests.migration.old_service import OldService


@pytest.fixture
def command(settings: Settings, old: OldService) -> list[str]:
    flags = {"--models": settings.models, "--state-url": settings.state_url, "--journals": settings.journals}
    return [str(old.folder), *(str(word) for flag in flags.items() for word in flag)]


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    with closing(open_store(settings.state_url)) as store:
        yield store


def predicted(old: OldService, experiment_id: str, variant_a: str = "v1", variant_b: str = "v2") -> None:
    old.create(experiment_id, variant_a, variant_b)
    old.predict(experiment_id, "B", 20)


def odd_folder(old: OldService) -> None:
    """A file of every kind: two that say active, one of a version against itself, and so on."""
    predicted(old, "stopped")
    old.stop("stopped")
    predicted(old, "active")
    old.create("never activated")
    predicted(old, "a_a", "v1", "v1")
    predicted(old, "gone", "v1", "v0")
    old.stop("gone")
    (old.folder / "broken.json").write_text('{"experiment_id": ')


def test_totals_are_printed_and_a_second_import_changes_nothing(
    command: list[str], settings: Settings, old: OldService, capsys: pytest.CaptureFixture[str]
) -> None:
    predicted(old, "v30_vs_v31")
    assert main(command) == 0
    totals, resumes = capsys.readouterr().out.splitlines()
    assert totals.startswith("1 file: 1 imported ")
    assert resumes.endswith(": v30_vs_v31")
    with opened(settings) as store:
        before = store.state()
        assert before.experiment is not None
        assert before.experiment.imported is not None
    assert main(command) == 0
    (totals,) = capsys.readouterr().out.splitlines()
    assert totals.endswith(" 1 already there")
    with opened(settings) as store:
        assert store.state() == before


def test_each_changed_or_left_file_has_a_line_and_the_rest_is_imported(
    command: list[str], settings: Settings, old: OldService, capsys: pytest.CaptureFixture[str]
) -> None:
    odd_folder(old)
    assert main(command) == SOME_LEFT == 3
    printed = capsys.readouterr()
    *files, totals, claims, _, _ = printed.out.splitlines()
    assert [line.split(": ")[0] for line in files] == [
        *("a_a.json", "active.json", "broken.json", "gone.json", "never activated.json"),
    ]
    assert [int(part.split()[0]) for part in totals.partition(": ")[2].split(", ")] == [2, 3, 1, 0]
    for name in ("active (20 predictions)", "never_activated-", "a_a (20 predictions, stopped)"):
        assert name in claims
    assert printed.err == ""
    with opened(settings) as store:
        statuses = {each.experiment_id.split("-")[0]: each.status for each in store.experiments()}
        assert store.state().experiment is None
    assert statuses == {
        **dict.fromkeys(("a_a", "gone", "stopped"), "stopped"),
        **dict.fromkeys(("active", "never_activated"), "draft"),
    }
    assert main(command) == SOME_LEFT
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()][:2] == ["broken.json", "6 files"]


def test_the_documented_output_is_that_of_the_folder_described_there(
    command: list[str], old: OldService, capsys: pytest.CaptureFixture[str]
) -> None:
    predicted(old, "first", "v3.0", "v3.1")
    old.stop("first")
    predicted(old, "v30_vs_v31", "v3.0", "v3.1")
    old.create("autumn", "v3.0", "v3.1")
    predicted(old, "a_a", "v3.1", "v3.1")
    predicted(old, "my test", "v3.0", "v2.9")
    old.stop("my test")
    old.create("percent", "v3.0", "v3.1", traffic_split=50)
    command[command.index("--models") + 1] = str(ONNX)
    main(command)
    page = (ROOT / "docs" / "importing-experiments.md").read_text()
    assert f"```text\n{capsys.readouterr().out}```" in page


def test_a_file_name_with_control_characters_stays_on_one_line(
    command: list[str], old: OldService, capsys: pytest.CaptureFixture[str]
) -> None:
    (old.folder / "two\nlines.json").write_text("")
    assert main(command) == SOME_LEFT
    assert capsys.readouterr().out.splitlines()[0].startswith('"two\\nlines.json": left: ')


async def test_the_server_shows_the_counts_and_activates_the_right_one(
    command: list[str], settings: Settings, old: OldService, build: Build
) -> None:
    odd_folder(old)
    main(command)
    async with TestClient(TestServer(await build(settings))) as client:
        status, listed = await call(client, "GET", "/reversal/experiments")
        assert status == 200
        names = [experiment["experiment_id"] for experiment in listed["data"]["experiments"]]
        assert len(names) == 5
        for name in names:
            for page in ("", "/metrics", "/report"):
                assert (await call(client, "GET", f"/reversal/experiments/{name}{page}"))[0] == 200, (name, page)
        for name in ("active", "a_a", "gone", "stopped"):
            _, metrics = await call(client, "GET", f"/reversal/experiments/{name}/metrics")
            counts = metrics["data"]["variants"]["B"]["metrics"]
            assert (counts["count"], counts["imported"], counts["users"]) == (20, 20, 0)
        assert (await call(client, "POST", "/reversal/experiments/a_a/activate"))[0] == 409
        status, activated = await call(client, "POST", "/reversal/experiments/active/activate")
        assert (status, activated["data"]["active"], activated["data"]["stopped_experiment"]) == (200, True, None)
        _, metrics = await call(client, "GET", "/reversal/experiments/active/metrics")
        assert metrics["data"]["variants"]["B"]["metrics"]["imported"] == 20


async def call(client: TestClient[web.Request, web.Application], method: str, path: str) -> tuple[int, dict[str, Any]]:
    response = await client.request(method, path)
    return response.status, await response.json()


def test_versions_of_an_unreadable_models_folder_are_not_judged(
    command: list[str], settings: Settings, old: OldService, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    command[command.index("--models") + 1] = str(tmp_path / "empty")
    predicted(old, "e1", "v8", "v9")
    assert main(command) == 0
    with opened(settings) as store:
        assert store.experiment("e1").status == "active"


def test_nothing_is_imported_from_an_empty_folder(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err.splitlines()[0]) == ("", "nothing is imported")


def test_import_is_refused_while_the_server_runs(
    command: list[str], settings: Settings, old: OldService, capsys: pytest.CaptureFixture[str]
) -> None:
    predicted(old, "e1")
    drainer = Drainer(settings.journal_folder)
    assert main(command) == 1
    assert "nothing is imported" in capsys.readouterr().err
    drainer.close()
    assert main(command) == 0


def test_a_store_that_cannot_be_opened_is_an_error(
    command: list[str], old: OldService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predicted(old, "e1")
    (tmp_path / "file").write_text("")
    command[command.index("--state-url") + 1] = f"sqlite:///{tmp_path}/file/state.db"
    assert main(command) == 1
    assert "nothing is imported" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--folder"], ["FOLDER", "--models", "/nowhere"]])
def test_a_bad_call_prints_a_message_and_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err
