"""Makes the fixtures in `formats/`: stores that servers of earlier commits have written.

    python -m tests.core.store.old_stores [NAME ...]

Needs this repository with its history, and a few seconds for each store. Each commit is checked out in a folder of its
own, and its server is asked over HTTP, so that the bytes are those that its users have.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.market import ROOT
from tests.postgres import any_postgres, binaries, database
from tests.processes import free_port, get, post
from tests.waiting import wait_until

FORMATS = Path(__file__).parent / "formats"
# The last commit whose store had that many steps, and for the first format also the first commit that served one. The
# schema of today is in there too: it is the earlier one of the next release.
COMMITS = {
    "1_first": "81337e5",
    "1": "638dbd8",
    "2": "2c1d9e6",
    "3": "539ca2c",
    "4": "436e13a",
    "5": "41094a7",
    "6": "f71920a",
    "7": "9757c37",
    "8": "b0e3882",
    "9": "30b6bc8",
}
# The oldest bundle that there is. All releases serve it, and its digest, which experiments compare, stays the same.
BUNDLE = ROOT / "tests" / "core" / "bundles" / "formats" / "1_without_limits" / "v1"
EXAMPLE = json.loads((ROOT / "docs" / "examples" / "predict.json").read_text())


def main(names: list[str]) -> None:
    """Make the fixtures with these names; all of them if there are none."""
    with any_postgres() as server:
        for name in names or COMMITS:
            folder = FORMATS / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            with checked_out(COMMITS[name]) as source:
                with tempfile.TemporaryDirectory() as state:
                    path = Path(state, "state.db")
                    use(source, f"sqlite:///{path}", folder / "sqlite", lambda: dump_of_sqlite(path))  # noqa: B023
                with database(server) as url:
                    use(source, url, folder / "postgres", lambda: dump_of_postgres(url))
            print(name, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))  # noqa: T201


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The files of a commit."""
    with tempfile.TemporaryDirectory(prefix="old-release-") as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)  # noqa: S607
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)  # noqa: S607
        yield Path(folder)


def use(source: Path, url: str, kept: Path, dump: Callable[[], str]) -> None:
    """Ask a server of that source as a client would; keep its store, its journals, and what it answers about them."""
    with tempfile.TemporaryDirectory() as folder, running(source, url, Path(folder)) as (base, process):
        answers = conversation(base)
        # The keeper, which drains the journals, is stopped, so that two predictions are in no store yet.
        process.send_signal(signal.SIGSTOP)
        answers["undrained"] = [predicted(base, 10 + number, "user-2")["prediction_id"] for number in range(2)]
        (file,) = Path(folder, "journals").rglob("*.jsonl")
        wait_until(lambda: all(each in file.read_text() for each in answers["undrained"]))
        kept.mkdir()
        shutil.copyfile(file, kept / file.name)
        (kept / "store.sql").write_text(dump().replace(f'"{socket.gethostname()}:', '"host:'))
        (kept / "answers.json").write_text(json.dumps(answers) + "\n")


@contextmanager
def running(source: Path, url: str, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of that source that answers predictions: its address and its keeper. `folder`: for what it keeps."""
    port = free_port()
    settings = {
        "REVERSAL_STATE_URL": url,
        "REVERSAL_JOURNALS": f"{folder}/journals",
        "REVERSAL_AUDIT": f"{folder}/audit.jsonl",
        "REVERSAL_MODELS": str(models(folder / "models")),
        "REVERSAL_WORKERS": "1",
        "REVERSAL_PORT": str(port),
    }
    base = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "server"]
        process = subprocess.Popen(command, cwd=source, env=os.environ | settings, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is None and ready(base))
        yield base, process
    except BaseException:
        sys.stderr.write((folder / "log").read_text()[-3000:])
        raise
    finally:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def models(folder: Path) -> Path:
    """A folder with two versions, the same in each call."""
    for version in ("v3.0", "v3.1"):
        shutil.copytree(BUNDLE, folder / version)
        manifest = folder / version / "manifest.json"
        text = manifest.read_text()
        assert text.count('"version": "v1"') == 1
        manifest.write_text(text.replace('"version": "v1"', f'"version": "{version}"'))
    (folder / "index.json").write_text('{"order": ["v3.1", "v3.0"]}')
    return folder


def ready(base: str) -> bool:
    """Whether the server answers predictions."""
    try:
        return get(f"{base}/readyz")[0] == 200
    except OSError:
        return False


def conversation(base: str) -> dict[str, Any]:
    """Experiments of each kind, with predictions, outcomes and labels."""
    asked(base, "experiments", {"experiment_id": "draft", "name": "Not yet", "description": "A draft", **VERSIONS})
    asked(base, "experiments", {"experiment_id": "split", "name": "v3.0 or v3.1?", **VERSIONS})
    asked(base, "experiments/split/activate")
    predictions = [predicted(base, number, f"user-{number}") for number in range(5)]
    wait_for_count(base, "split", 5)
    results = [("win", 12.5), ("loss", -8.0), ("neutral", None)]
    trades = [each for each in predictions if each["signal"] != "hold"]
    given = [
        {"prediction_id": each["prediction_id"], "outcome": outcome, "pnl_pips": pnl}
        for each, (outcome, pnl) in zip(trades, results, strict=False)
    ]
    asked(base, "outcomes", {"outcomes": given})
    asked(base, "experiments/split/evaluate", evaluation())
    post(f"{base}/reversal/experiments/split/notes", {"text": "Volumes of another source"})  # not in all releases
    get(f"{base}/reversal/experiments/split/report")
    asked(base, "experiments/split/stop")
    shadow = {"experiment_id": "shadow", "name": "Shadow", "mode": "shadow", "variant_a": "v3.1", "variant_b": "v3.0"}
    crossover = VERSIONS | {
        "experiment_id": "crossover",
        "name": "Crossover",
        "mode": "crossover",
        "traffic_split": 0.5,
    }
    found = {"split": 5, "shadow": 3}
    if post(f"{base}/reversal/experiments", crossover)[0] == 201:  # not in all releases
        asked(base, "experiments/crossover/activate")
        for number in range(3):
            predicted(base, number * 24, "user-1")
        found["crossover"] = 3
        wait_for_count(base, "crossover", 3)
    asked(base, "experiments", shadow)
    asked(base, "experiments/shadow/activate")
    scored = [predicted(base, number, "user-1") for number in (0, 0, 1)]
    wait_for_count(base, "shadow", 3)
    asked(
        base,
        "outcomes",
        {"outcomes": [{"prediction_id": scored[0]["prediction_id"], "outcome": "win", "pnl_pips": 3.0}]},
    )
    asked(base, "models/v3.0/switch")
    return {
        "experiments": get(f"{base}/reversal/experiments")[1]["data"],
        "metrics": {each: get(f"{base}/reversal/experiments/{each}/metrics")[1]["data"] for each in found},
        "export": {each: exported(base, each) for each in found},
    }


VERSIONS = {"variant_a": "v3.0", "variant_b": "v3.1", "traffic_split": 0.5}


def asked(base: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    """The data of an answer, which must be a success."""
    status, answer = post(f"{base}/reversal/{path}", body)
    assert status in (200, 201), (path, answer)
    return answer["data"]


def predicted(base: str, hours: int, user: str) -> Any:  # noqa: ANN401 - JSON
    """The answer to the example of the documents, with its candles that many hours later."""
    body = EXAMPLE | {"user_id": user, "data": [later(candle, hours) for candle in EXAMPLE["data"]]}
    return asked(base, "predict", body)


def later(candle: dict[str, Any], hours: int) -> dict[str, Any]:
    """A candle with its time moved."""
    at = datetime.fromisoformat(candle["timestamp"]) + timedelta(hours=hours)
    return candle | {"timestamp": at.isoformat().replace("+00:00", "Z")}


def evaluation() -> dict[str, Any]:
    """The candles of the example and 40 later ones, which rise, and the rule that judges them."""
    first, last = EXAMPLE["data"], EXAMPLE["data"][-1]
    prices = {name: last[name] for name in ("open", "high", "low", "close")}
    after = [
        later(last, hours) | {name: round(price + 0.001 * hours, 5) for name, price in prices.items()}
        for hours in range(1, 41)
    ]
    rule = {"horizon": 10, "min_profit_pips": 6.0, "max_loss_pips": 10.0, "min_ratio": 1.5}
    return {"pair": "EUR/USD", "timeframe": "1h", "data": first + after} | rule


def wait_for_count(base: str, experiment: str, count: int) -> None:
    """Wait until the store has that many predictions."""
    wait_until(lambda: len(exported(base, experiment)) == count)


def exported(base: str, experiment: str) -> list[dict[str, Any]]:
    """The rows of an export."""
    with urllib.request.urlopen(f"{base}/reversal/experiments/{experiment}/export?format=jsonl") as answer:  # noqa: S310
        return [json.loads(line) for line in answer.read().splitlines()]


def dump_of_sqlite(path: Path) -> str:
    """The statements that make that database."""
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join([*connection.iterdump(), ""])


def dump_of_postgres(url: str) -> str:
    """The statements that make the tables of that database."""
    options = ["--inserts", "--no-owner", "--no-privileges", "--no-comments", "--schema=reversal"]
    made = subprocess.run([binaries() / "pg_dump", *options, url], capture_output=True, text=True, check=True)
    lines = [line for line in made.stdout.splitlines() if line and not line.startswith(("--", "\\", "SET "))]
    return "\n".join([line for line in lines if "set_config" not in line] + [""])


if __name__ == "__main__":
    main(sys.argv[1:])
