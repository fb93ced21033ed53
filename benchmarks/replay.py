"""`reversal replay` over three and over four years of nine pairs: its seconds, and what it says.

The command runs as a user runs it, on the broker's files of the lab, with both versions. Four years are about 450,000
predictions. Nothing here is an endorsement of a version: the tables show whatever comes out.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import options
from benchmarks.figures import shortened
from benchmarks.machine import ROOT, machine, save
from core.bundles.repository import Repository
from core.errors import ServiceError
from core.experiments.experiment import VARIANTS
from core.inference.detector import Detector
from core.inference.history import AT_ONCE, windows_of
from core.replay.view import cell, results
from core.reports.page.quantity import QUANTITIES, number
from lab.history import read_broker

FILES = sorted((ROOT / "lab" / "data").glob("*_1h_*.csv.gz"))
LAST = 2020
WINDOWS = 8_192
SPANS = {"three years": 3, "four years": 4}


def replayed(python: str, versions: str, years: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the report of the last years, and the seconds of the whole command by the clock and of the CPUs."""
    files = [str(file) for file in FILES]
    command = [python, "-m", "reversal", "replay", *files, "--versions", versions, "--json"]
    command += ["--point-size", "tenth-pip", "--timezone", "Europe/Athens"]
    command += ["--from", str(LAST - years + 1), "--to", str(LAST)]
    environ = os.environ | {"REVERSAL_MODELS": str(ROOT / "models" / "onnx")}
    before, began = _cpu(), time.perf_counter()
    with TemporaryDirectory() as folder:
        output = Path(folder, "report.json")
        with output.open("wb") as opened:
            subprocess.run(command, cwd=ROOT, env=environ, stdout=opened, check=True)  # noqa: S603 - our own command
        whole = time.perf_counter() - began
        report: dict[str, Any] = json.loads(output.read_bytes())
    return report, {"whole_s": whole, "cpu_s": _cpu() - before}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def spent(version: str) -> dict[str, Any]:
    """Return the CPU time of a prediction in one thread, in batches as of a history, and the shares of its parts."""
    detector = Detector(Repository(ROOT / "models" / "onnx").read(version))
    candles = read_broker(FILES[0]).part(slice(-WINDOWS - detector.recommended_candles, None)).candles
    parts = np.zeros(3)
    began = time.process_time()
    for first in range(detector.recommended_candles, len(candles), AT_ONCE):
        batch = range(first, min(first + AT_ONCE, len(candles)))
        results = detector.predict(windows_of(detector, candles, batch))
        parts += next(result.spent for result in results if not isinstance(result, ServiceError))
    whole = time.process_time() - began
    shares = zip(("features", "stage1", "stage2"), (parts / parts.sum()).tolist(), strict=True)
    return {"version": version, "cpu_us": shortened(1e6 * whole / WINDOWS)} | {
        name: f"{share:.0%}" for name, share in shares
    }


def asked(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the report is about, as the only row of a table."""
    (found,) = report["comparisons"]
    about = {name: report[name][:10] for name in ("from", "to")}
    rule = ", ".join(f"{name} {value}" for name, value in report["label_rule"].items())
    return [{"A": found["a"], "B": found["b"], **about, "candles": report["candles"], "label_rule": rule}]


def verdicts(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return the verdict with the numbers that it is made from, and the same by pair and year, as rows of a table."""
    (found,) = report["comparisons"]
    metric = report["metric"]
    quantity = QUANTITIES[metric]

    def row(what: str, verdict: str, *of: Any) -> dict[str, str]:  # noqa: ANN401 - A, B and the difference, as JSON
        a, b, difference = (number(quantity, each, difference=i == len(VARIANTS)) for i, each in enumerate(of))
        return {"what": what, "A": str(a), "B": str(b), "difference": str(difference), "verdict": verdict}

    a, b = (found["variants"][variant][metric] for variant in VARIANTS)
    parts = {each["pair"]: each for each in found["breakdown"]["places"]}
    parts |= {str(each["year"]): each for each in found["years"]}
    return [
        row("all", found["verdict"]["word"], a, b, found["differences"][metric]),
        *(row(name, "", *(parts[name][of] for of in (*VARIANTS, "difference"))) for name in sorted(parts)),
    ]


def figures(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return the figures of trades and of Stage 1 as rows of a table."""
    return [dict(zip(("figure", *VARIANTS, "difference"), row, strict=True)) for row in results(report).rows]


def parts(report: dict[str, Any]) -> list[dict[str, str]]:
    """Return AUC and the mean trade by pair and year as rows of a table."""
    named = {f"{name}_{variant}": (name, version) for name in ("auc", "expectancy_pips")
             for variant, version in zip(VARIANTS, report["versions"], strict=True)}  # fmt: skip
    return [
        {"what": str(each[what])}
        | {column: cell(name, each["figures"][version][name]) for column, (name, version) in named.items()}
        for what in ("pair", "year")
        for each in report[f"by_{what}"]
    ]


def main() -> None:
    """Measure both spans in turns, and save the medians and what the three years say."""
    parser = options.parser(__doc__, "replay", rounds=3, seconds=0)
    parser.add_argument("--versions", default="v3.0,v3.1", help="two versions; the first one is A")
    given = parser.parse_args()
    about = machine()
    rounds: dict[str, list[dict[str, float]]] = {span: [] for span in SPANS}
    reports = {}
    for _ in range(given.rounds):
        for span, years in SPANS.items():
            reports[span], seconds = replayed(given.server, given.versions, years)
            rounds[span].append({f"{name}_s": each for name, each in reports[span]["seconds"].items()} | seconds)
    speed = [
        {"span": span, "predictions": reports[span]["predictions"]}
        | {name: shortened(sorted(each[name] for each in measured)[len(measured) // 2]) for name in measured[0]}
        for span, measured in rounds.items()
    ]
    report = reports["three years"]
    found = {"asked": asked(report), "verdict": verdicts(report), "figures": figures(report), "parts": parts(report)}
    times = {"speed": speed, "spent": [spent(version) for version in given.versions.split(",")]}
    save({"machine": about} | times | found, given.output)


if __name__ == "__main__":
    main()
