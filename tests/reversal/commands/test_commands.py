"""The commands that are defined here, each as it is typed."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from core.store.opening import open_store
from reversal.__main__ import CLICK, COMMANDS, main
from reversal.commands.group import group
from tests.market import ONNX, ROOT, VERSIONS

PREDICT = str(ROOT / "docs" / "examples" / "predict.json")
TWENTY = str(ROOT / "docs" / "examples" / "twenty.json")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REVERSAL_MODELS", str(ONNX))
    monkeypatch.chdir(tmp_path)


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    shown = capfd.readouterr()
    return code, shown.out, shown.err


def test_predict_shows_the_signal_and_its_numbers(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "predict", PREDICT)
    assert code == 0
    assert out.split()[:3] == ["hold", "confidence", "0.9150"]
    code, out, _ = run(capfd, "predict", PREDICT, "--json", "--version", "v3.0")
    found = json.loads(out)
    assert (found["signal"], found["model_version"], found["candle_time"]) == ("short", "v3.0", "2017-12-29T21:00:00Z")


def test_predict_reads_standard_input(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(PREDICT).open("rb") as file:
        monkeypatch.setattr("sys.stdin", type("In", (), {"buffer": file})())
        assert run(capfd, "predict", "-", "--json")[0] == 0


def test_predict_all_gives_a_line_for_each_candle(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capfd, "predict", PREDICT, "--all", "--version", "v3.1")
    lines = out.splitlines()
    assert (len(lines), lines[0].split(",")[:3]) == (121, ["row", "signal", "confidence"])
    assert lines[1] == "0,,,,,False"
    assert lines[-1].startswith("119,short,0.782690018415451,")
    _, out, _ = run(capfd, "predict", PREDICT, "--all", "--json", "--version", "v3.1")
    assert [json.loads(out)[i]["signal"] for i in (0, 119)] == [None, "short"]


def test_a_refusal_is_one_line_and_exit_code_1(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (("predict", TWENTY), "100 candles"),
        (("predict", PREDICT, "--version", "v9"), "v9"),
        (("predict", "missing.csv"), "missing.csv"),
        (("experiments", "list", "--url", "http://127.0.0.1:9"), "127.0.0.1:9"),
    ):
        code, out, err = run(capfd, *arguments)
        assert (code, out, len(err.splitlines())) == (1, "", 1), arguments
        assert said in err


def test_errors_are_json_too(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments, code, named in (
        (("predict", TWENTY, "--json"), 1, "INSUFFICIENT_DATA"),
        (("predict", PREDICT, "--version", "v9", "--json"), 1, "UNKNOWN_VERSION"),
        (("compare", "missing.csv", "--json"), 1, None),
        (("experiments", "list", "--url", "http://127.0.0.1:9", "--json"), 1, None),
        (("predict", "--json"), 2, None),
        (("models", "--models", "no", "--json"), 2, None),
    ):
        ended, out, err = run(capfd, *arguments)
        found = json.loads(out)
        assert (ended, found["code"]) == (code, named), arguments
        assert found["error"] in err


def test_a_folder_without_versions_is_refused(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in (("models",), ("bench",), ("predict", PREDICT), ("compare", PREDICT)):
        code, _, err = run(capfd, *arguments, "--models", str(tmp_path))
        assert (code, str(tmp_path) in err) == (1, True), arguments


def test_auto_is_the_default_folder(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVERSAL_MODELS", "auto")
    assert run(capfd, "models")[0] == 0


def test_bench_measures_beside_a_broken_bundle(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shutil.copytree(ONNX, tmp_path / "models")
    (tmp_path / "models" / "v3.1" / "manifest.json").write_text("{")
    code, out, err = run(capfd, "bench", "--seconds", "0.1", "--json", "--models", str(tmp_path / "models"))
    assert (code, [each["version"] for each in json.loads(out)]) == (1, ["v3.2", "v3.0"])
    assert "v3.1" in err


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_colours_can_be_turned_off(
    variable: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click._compat.isatty", lambda _: True)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in run(capfd, "predict", PREDICT)[1]
    monkeypatch.setenv(variable, "dumb")
    assert "\x1b[" not in run(capfd, "predict", PREDICT)[1]


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://[::1", "http://x:99999"])
def test_an_address_that_is_none_is_exit_code_2(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "experiments", "list", "--url", url)[0] == 2


def test_wrong_arguments_are_exit_code_2(capfd: pytest.CaptureFixture[str]) -> None:
    for arguments in (("predict",), ("predict", PREDICT, "--timeframe", "2h"), ("nope",), ("models", "--models", "no")):
        assert run(capfd, *arguments)[0] == 2


def test_compare_shows_every_version(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capfd, "compare", PREDICT, "--json")
    found = json.loads(out)
    assert (sorted(found["predictions"]), found["consensus"]) == (sorted(VERSIONS), None)
    code, out, _ = run(capfd, "compare", TWENTY, "--version", "v3.0")
    assert (code, "46 candles" in out) == (1, True)


def test_explain_shows_the_largest_numbers_of_each_stage_first(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capfd, "explain", PREDICT, "--version", "v3.1")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert (lines[0][0], lines[1][:4]) == ("short", ["stage", "1:", "P(reversal)", "0.5677,"])
    numbers = [abs(float(line[1])) for line in lines[3:15]]
    assert numbers == sorted(numbers, reverse=True)
    assert lines[3] == ["macd_signal", "-0.0184"]
    _, out, _ = run(capfd, "explain", PREDICT, "--version", "v3.1", "--json")
    found = json.loads(out)
    assert (found["signal"], found["explanation"]["background"]) == ("short", 1)
    assert found["explanation"]["stage1"]["features"]["macd_signal"] == pytest.approx(-0.0184, abs=1e-4)
    assert run(capfd, "explain", PREDICT, "--background", "51")[0] == 2
    assert run(capfd, "explain", TWENTY)[0] == 1


def test_models_lists_the_folder_and_fails_for_a_broken_bundle(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = run(capfd, "models", "--json")
    assert code == 0
    assert [each["version"] for each in json.loads(out)["versions"]] == VERSIONS
    (tmp_path / "models" / "v1").mkdir(parents=True)
    (tmp_path / "models" / "v1" / "manifest.json").write_text("{}")
    code, out, _ = run(capfd, "models", "--models", str(tmp_path / "models"))
    assert code == 1
    assert "manifest.json" in out


def test_bench_measures_each_version(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capfd, "bench", "--seconds", "0.1", "--json")
    assert [each["version"] for each in json.loads(out) if each["median_us"] > 0] == VERSIONS


def test_assign_is_the_contracts(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(capfd, "experiments", "assign", "user123", "v30_vs_v31")[1] == "A\n"
    assert run(capfd, "experiments", "assign", "alice", "v30_vs_v31")[1] == "B\n"


def test_doctor_says_what_is_missing(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, _ = run(capfd, "doctor", "--json", "--port", port)
    found = {each["about"]: each["state"] for each in json.loads(out)}
    assert (code, found["port"], found["bundles"], found["store"]) == (1, "fail", "ok", "ok")
    code, out, _ = run(capfd, "doctor", "--port", "0")
    assert (code, {line.split()[0] for line in out.splitlines()}) == (0, {"ok"})
    assert run(capfd, "doctor", "--port", "http")[0] == 1


def doctor(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    _, out, _ = run(capfd, "doctor", "--json", "--port", "0", *arguments)
    return {each["about"]: each["state"] for each in json.loads(out)}


def test_doctor_leaves_a_broken_store_as_it_is(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    broken = tmp_path / "state.db"
    broken.write_text("not a database, but all that is left")
    assert doctor(capfd, "--state-url", f"sqlite:///{broken}")["store"] == "fail"
    assert broken.read_text() == "not a database, but all that is left"
    sqlite3.connect(tmp_path / "torn.db").execute("CREATE TABLE a (b)").connection.close()
    torn = (tmp_path / "torn.db").read_bytes()[:4096] + b"x" * 4096
    broken.write_bytes(torn)
    assert doctor(capfd, "--state-url", f"sqlite:///{broken}")["store"] == "fail"
    assert broken.read_bytes() == torn


def test_doctor_names_a_store_of_a_newer_release(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    open_store(url).close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as database, database:
        database.execute("UPDATE meta SET value = '1000' WHERE name = 'schema'")
    assert doctor(capfd, "--state-url", url)["store"] == "fail"


def test_doctor_finds_each_broken_thing(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundles = tmp_path / "models"
    shutil.copytree(ONNX, bundles)
    (bundles / "v3.1" / "manifest.json").write_text("{")
    assert doctor(capfd, "--models", str(bundles))["bundles"] == "ok"
    assert run(capfd, "doctor", "--port", "0", "--models", str(bundles))[1].splitlines()[1].split()[:2] == [
        "warn",
        "bundles",
    ]
    for version in ("v3.0", "v3.2"):
        shutil.rmtree(bundles / version)
    assert doctor(capfd, "--models", str(bundles))["bundles"] == "fail"
    assert doctor(capfd, "--host", f"unix:{tmp_path}/no/x.sock")["port"] == "fail"
    assert doctor(capfd, "--host", "192.0.2.1")["port"] == "fail"
    state = tmp_path / "locked.db"
    with sqlite3.connect(state, isolation_level=None) as lock:
        lock.execute("CREATE TABLE a (b)")
        lock.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("core.store.drivers.sqlite.PATIENCE_SECONDS", 0.1)
        assert doctor(capfd, "--state-url", f"sqlite:///{state}")["store"] == "fail"
    lock.close()
    monkeypatch.setattr("reversal.commands.doctor._BUILT", datetime.max.replace(tzinfo=UTC))
    assert doctor(capfd)["clock"] == "fail"


def test_doctor_says_whether_the_extension_is_in_use(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for extension in (object(), None):
        monkeypatch.setattr("core.native.extension", extension)
        _, out, _ = run(capfd, "doctor", "--json", "--port", "0")
        texts += [(each["state"], each["text"]) for each in json.loads(out) if each["about"] == "extension"]
    assert [state for state, _ in texts] == ["ok", "ok"]
    assert texts[0][1] == "candles are read in C"
    assert "not built" in texts[1][1]


def test_every_help_has_an_example_and_every_option_a_meaning() -> None:
    root = group({name: ("", command.help) for name, command in COMMANDS.items()} | CLICK)
    for name in CLICK:
        found = root.get_command(click.Context(root), name)
        assert found is not None
        for each in found.commands.values() if isinstance(found, click.Group) else [found]:
            assert re.match(rf"Example: reversal ({name}|experiments)", each.epilog or ""), each.name
            assert each.help
            shown = each.get_help(click.Context(each))
            assert "--json" in shown
            options = [option for option in each.params if isinstance(option, click.Option)]
            assert [option.name for option in options if not option.help] == []
