"""Seconds and memory until `convert` refuses small files that unpack, or compute, without end.

Each file takes the place of a real one in a copy of models/keras, behind other files that are read first. Seconds are
those of the whole command, also as CPU time, which other work on the machine changes less. Memory is the peak of the
command plus the peak of the process that reads the files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.figures import shortened
from benchmarks.hostile_cases import CASES, Case
from benchmarks.machine import BUILD, ROOT, machine, save

SOURCE = ROOT / "models" / "keras"
SECONDS, MEBIBYTES = 1.0, 300.0
_PAUSE = 0.002


def prepared(folder: Path, case: Case) -> tuple[Path, int]:
    """Return a copy of models/keras in which one file is replaced by that of a case, and its size on disk in bytes."""
    source = Path(shutil.copytree(SOURCE, folder / "source"))
    made = case.make(folder, source / case.replaces)
    size = min(made.stat().st_size, 512 * made.stat().st_blocks)
    name = case.replaces if case.suffix is None else Path(case.replaces).stem + case.suffix
    (source / case.replaces).unlink()
    made.rename(source / name)
    if case.suffix is not None:
        toml = source / "versions.toml"
        toml.write_text(toml.read_text().replace(f'"{case.replaces}"', f'"{name}"'))
    return source, size


def peak(pid: int) -> int:
    """Return the largest resident memory of a process so far in KiB, 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def convert(source: Path) -> dict[str, Any]:
    """Run the command. Returns its seconds, CPU time, peak memory, exit code and last line."""
    command = [sys.executable, "-m", "convert", "--source", str(source), "--output", str(source.parent / "output")]
    began, before = time.perf_counter(), os.times()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603 - ours
    peaks: dict[int, int] = {}
    while process.poll() is None:
        for pid in (process.pid, *children(process.pid)):
            peaks[pid] = max(peaks.get(pid, 0), peak(pid))
        time.sleep(_PAUSE)
    seconds = time.perf_counter() - began
    after = os.times()
    said = (process.communicate()[1] or "").splitlines()
    return {
        "seconds": seconds,
        "cpu_seconds": sum(after[2:4]) - sum(before[2:4]),
        "mib": sum(peaks.values()) / 1024,
        "code": process.returncode,
        "said": said[-1] if said else "",
    }


def main() -> None:
    """Convert with each file in turns, and print the medians of the rounds. The exit code is 1 if a limit is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", help="the cases whose name contains this")
    options.add_argument("--output", type=Path, default=BUILD / "hostile_files.json")
    given = options.parse_args()
    about = machine()
    rows = []
    for case in CASES:
        if given.only and given.only not in case.name:
            continue
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
            source, size = prepared(Path(folder), case)
            runs = [convert(source) for _ in range(given.rounds)]
        row = {
            "file": case.name,
            "kib": shortened(size / 1024),
            "seconds": shortened(median(run["seconds"] for run in runs)),
            "cpu_seconds": shortened(median(run["cpu_seconds"] for run in runs)),
            "mib": shortened(max(run["mib"] for run in runs)),
            "refused": all(run["code"] == 1 for run in runs),
            "said": runs[0]["said"],
        }
        print(
            f"{row['seconds']:6} s {row['cpu_seconds']:6} s CPU {row['mib']:6} MiB  {case.name}: {row['said'][:200]}",
            flush=True,
        )
        rows.append(row)
    missed = [r["file"] for r in rows if not r["refused"] or r["seconds"] > SECONDS or r["mib"] > MEBIBYTES]
    save({"machine": about, "cases": rows, "missed": missed}, given.output)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
