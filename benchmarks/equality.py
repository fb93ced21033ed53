"""Whether the fast ways decide as the plain ones: answers to many real windows, with the extension in C and without it.

Two programs answer the same candles of nine pairs: one with the extension (core/native), and one without it whose
scalers run in ONNX Runtime. The first asks each window alone too, because sums may depend on what runs beside them.
Exits with 1 if a decision differs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.forms import NATIVE, without_extension
from benchmarks.machine import ROOT, machine, save
from benchmarks.options import parser
from core.bundles.repository import Repository
from core.inference.detector import Detector, Prediction
from core.inference.history import AT_ONCE, CODES, windows_of
from core.inference.inputs import CandleWindows
from core.native import FILE
from lab.history import read_all

# The last of the nine pairs' windows: what the service would have been asked in the last years of the files.
WINDOWS = 100_000
VERSIONS = ("v3.0", "v3.1", "v3.2")
# Every so many windows, one is asked alone as well.
ALONE = 16
COLUMNS = ("signal", "confidence", "stage1_prob", "stage2_prob", "out of range")


def windows(detector: Detector, count: int) -> Iterator[list[CandleWindows]]:
    """Yield the last windows of all pairs, as many of each, in groups that run together."""
    histories = read_all()
    of_each = -(-count // len(histories))
    for history in histories:
        end = len(history)
        for first in range(end - of_each, end, AT_ONCE):
            yield windows_of(detector, history.candles, range(first, min(first + AT_ONCE, end)))


def numbers(detector: Detector, sources: list[CandleWindows]) -> list[tuple[float, ...]]:
    """Return the answers as rows of COLUMNS. Raises ServiceError for a window without an answer."""
    found: list[tuple[float, ...]] = []
    for result in detector.predict(sources):
        if not isinstance(result, Prediction):
            raise result
        decided = result.decision
        second = float("nan") if decided.stage2_prob is None else decided.stage2_prob
        outside = any(warning.code == "OUT_OF_RANGE" for warning in result.warnings)
        found.append((CODES[decided.signal], decided.confidence, decided.stage1_prob, second, outside))
    return found


def answer(version: str, count: int, output: Path, *, plain: bool) -> None:
    """Write the answers of one version to a file: `together`, and every sixteenth again, `alone` and the `same`."""
    detector = Detector(Repository(ROOT / "models" / "onnx").read(version))
    if plain:
        for runner in detector.runners:
            runner._plain_scaler = None  # noqa: SLF001 - no setting: the server has no use for it
    together: list[tuple[float, ...]] = []
    alone: list[tuple[float, ...]] = []
    same: list[tuple[float, ...]] = []
    for sources in windows(detector, count):
        found = numbers(detector, sources)
        together += found
        same += found[::ALONE]
        for source in sources[::ALONE]:
            alone += numbers(detector, [source])
    np.savez(output, together=np.array(together), same=np.array(same), alone=np.array(alone))


def compared(a: NDArray[np.float64], b: NDArray[np.float64]) -> dict[str, Any]:
    """Return how many rows have another signal or another warning, how many differ at all, and by how much."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    distance = np.nanmax(np.abs(np.where(same, 0.0, a - b))[:, 2:4])
    return {
        "windows": len(a),
        "other signal": int((~same[:, 0]).sum()),
        "other warning": int((~same[:, 4]).sum()),
        "other last bits": int((~same.all(axis=1)).sum()),
        "largest distance": float(f"{distance:.2g}"),
    }


def main() -> int:
    """Compare, and print a row for each version; returns the exit code."""
    options = parser(__doc__, "equality", rounds=1, seconds=0)
    options.add_argument("--windows", type=int, default=WINDOWS)
    options.add_argument("--answer", nargs=2, metavar=("VERSION", "FILE"), help="for this program's own use")
    given = options.parse_args()
    if given.answer is not None:
        answer(given.answer[0], given.windows, Path(given.answer[1]), plain=not (ROOT / NATIVE / FILE).exists())
        return 0
    if not (given.tree / NATIVE / FILE).exists():
        raise SystemExit("the extension is missing: python core/native/build.py")
    rows = []
    with without_extension(given.tree) as pure, tempfile.TemporaryDirectory() as folder:
        for version in VERSIONS:
            found = {}
            for way, tree in {"fast": given.tree, "plain": pure}.items():
                file = Path(folder, f"{way}.npz")
                command = [given.server, "-m", "benchmarks.equality", f"--windows={given.windows}"]
                subprocess.run([*command, "--answer", version, file], cwd=tree, check=True)  # noqa: S603 - our own
                found[way] = np.load(file)
            fast, plain = found["fast"], found["plain"]
            rows += [
                {"version": version, "ways": "fast and plain"} | compared(fast["together"], plain["together"]),
                {"version": version, "ways": "fast, alone and together"} | compared(fast["alone"], fast["same"]),
            ]
    save({"machine": machine(), "rows": rows}, given.output)
    return int(any(row["other signal"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
