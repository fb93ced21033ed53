"""`reversal replay`, as it is typed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core.bundles.repository import Repository
from lab.history import BROKER_FILES, read_broker
from reversal.__main__ import main
from reversal.commands.files import FileForm, read_given
from reversal.frames import history
from tests.market import ONNX, ROOT

YEAR = ROOT / "training" / "data" / "eurusd_1h_2017.csv"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REVERSAL_MODELS", str(ONNX))
    monkeypatch.chdir(tmp_path)


def run(capfd: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["replay", *map(str, arguments)])
    shown = capfd.readouterr()
    return code, shown.out, shown.err


def broker(pair: str, first: int, last: int, to: Path) -> Path:
    """Some lines of a broker's file, packed as it is."""
    lines = gzip.decompress((BROKER_FILES / f"{pair}_1h_2012_2020.csv.gz").read_bytes()).splitlines(keepends=True)
    to.write_bytes(gzip.compress(b"".join(lines[:1] + lines[first:last])))
    return to


def test_the_verdict_comes_first(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, YEAR, "--versions", "v3.0,v3.1", "--from", "2017-11", "--draws", 50)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "Is v3.1 better than v3.0? Not yet."
    assert "the win rate of v3.1 minus that of v3.0 is" in lines[1]
    assert any(line.startswith("AUC of Stage 1") for line in lines)
    assert any(line.startswith("EUR/USD  ") for line in lines)
    assert any(line.startswith("2017  ") for line in lines)
    assert "answers in" in lines[-1]


def test_json_and_pages(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    versions = Repository(ONNX).listing().versions
    for name in ("page.html", "page.md"):
        code, out, _ = run(capfd, YEAR, "--from", "2017-12-15", "--draws", 20, "--json", "--report", name)
        report = json.loads(out)
        assert code == 0
        # Without --versions, those of the folder's order.
        assert (report["versions"], report["pairs"], report["draws"]) == ([*versions], ["EUR/USD"], 20)
        first, *others = versions
        assert f"Is {' or '.join(others)} better than {first}?" in (tmp_path / name).read_text()


def test_a_brokers_packed_files_in_points(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = [broker(pair, 40_000, 40_700, tmp_path / f"{pair}_1h.csv.gz") for pair in ("USDJPY", "GBPUSD")]
    arguments = (*files, "--versions", "v3.1", "--timezone", "Europe/Athens", "--draws", 5)
    code, _, err = run(capfd, *arguments)
    assert code == 1
    assert "--point-size" in err
    code, out, _ = run(capfd, *arguments, "--point-size", "tenth-pip", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["pairs"] == ["USD/JPY", "GBP/USD"]
    assert report["candles"] == 1_400


@pytest.mark.parametrize("pair", ["USDJPY", "GBPUSD"])
def test_a_brokers_file_is_read_as_the_lab_reads_it(pair: str) -> None:
    """From 2015 on, when the broker's clock was that of Athens."""
    file = BROKER_FILES / f"{pair}_1h_2012_2020.csv.gz"
    form = FileForm("1h", None, "Europe/Athens", None, "tenth-pip")
    given = read_given(str(file), form)
    found, expected = history(given.candles, given.timeframe), read_broker(file)
    assert given.pair == expected.pair
    later = expected.timestamps >= np.datetime64("2015-01-01")
    assert len(found) == len(expected)
    assert (found.candles.values == expected.candles.values).all()
    times = np.array(found.opens).astype("datetime64[ms]").astype("datetime64[s]")
    assert (times[later] == expected.timestamps[later]).all()


def test_files_of_one_pair_are_one_history(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = YEAR.read_text().splitlines(keepends=True)
    whole, *parts = (tmp_path / name for name in ("EURUSD.csv", "EURUSD_1.csv", "EURUSD_2.csv"))
    for file, rows in zip((whole, *parts), (lines[1:900], lines[500:900], lines[1:500]), strict=True):
        file.write_text("".join([lines[0], *rows]))
    one, two = (
        json.loads(run(capfd, *files, "--versions", "v3.1", "--draws", 5, "--json")[1]) for files in ([whole], parts)
    )
    assert one | {"seconds": 0} == two | {"seconds": 0}


def test_the_pair_is_that_of_the_option_the_column_or_the_name(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = YEAR.read_text().splitlines()[:200]
    (tmp_path / "GBPUSD.csv").write_text("\n".join([f"{lines[0]},symbol", *(f"{line},EURUSD" for line in lines[1:])]))
    (tmp_path / "some.csv").write_text("\n".join(lines))
    versions = ("--versions", "v3.1", "--draws", 5, "--json")
    assert json.loads(run(capfd, "GBPUSD.csv", *versions)[1])["pairs"] == ["EUR/USD"]
    assert json.loads(run(capfd, "GBPUSD.csv", *versions, "--pair", "AUD/USD")[1])["pairs"] == ["AUD/USD"]
    code, out, err = run(capfd, "some.csv", *versions)
    assert code == 1
    assert "some.csv" in err
    assert "--pair" in json.loads(out)["error"]
    mixed = [f"{line},{'EURUSD' if i % 2 else 'GBPUSD'}" for i, line in enumerate(lines[1:])]
    (tmp_path / "mixed.csv").write_text("\n".join([f"{lines[0]},symbol", *mixed]))
    assert "several pairs" in run(capfd, "mixed.csv", *versions)[2]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--report", "page.pdf"], 2),
        (["--pair", "EUR/USD", "--pair", "EUR/USD"], 2),
        (["--point-size", "large"], 2),
        (["--point-size", "-1"], 2),
        (["--versions", "v9"], 1),
        (["--versions", ","], 1),
        (["--versions", "v3.1,v3.0,"], 0),
        (["--from", "2030"], 1),
        (["--min-profit-atr", "1"], 0),
        (["--min-profit-pips", "1"], 1),
    ],
)
def test_wrong_arguments(arguments: list[str], code: int, capfd: pytest.CaptureFixture[str]) -> None:
    given = arguments if "--versions" in arguments else [*arguments, "--versions", "v3.1,v3.0"]
    found, _, err = run(capfd, YEAR, "--to", "2017-01", "--draws", 2, *given)
    assert found == code, err


def test_two_copies_of_a_bundle_have_no_difference(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(ONNX, folder)
    shutil.copytree(folder / "v3.0", folder / "v3.9")
    manifest = folder / "v3.9" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": "v3.0"', '"version": "v3.9"', 1))
    _, out, err = run(capfd, YEAR, "--versions", "v3.0,v3.9", "--models", folder, "--draws", 20, "--json")
    assert err == ""
    report = json.loads(out)
    assert report["comparisons"][0]["differences"]["win_rate"]["estimate"] == 0.0
    assert report["comparisons"][0]["pairs"]["agreement"]["estimate"] == 1.0


def test_it_needs_the_serving_packages_only() -> None:
    code = (
        "import sys\nfrom reversal.__main__ import main\n"
        f"assert main(['replay', {str(YEAR)!r}, '--to', '2017-01', '--draws', '5', '--report', 'page.html']) == 0\n"
        "heavy = {'matplotlib', 'pandas', 'scipy', 'sklearn', 'tensorflow', 'onnx', 'lightgbm', 'optuna', 'lab'}\n"
        "assert not heavy & {name.partition('.')[0] for name in sys.modules}"
    )
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ, capture_output=True)
