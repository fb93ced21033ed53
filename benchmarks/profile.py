"""Where the CPU time of a prediction goes: one worker under load, sampled by py-spy, which needs permission for that.

A sample counts for the innermost Python function, so time in C counts for the function that called it. The shares are
multiplied by the CPU time for one answer.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from benchmarks import bodies, servers
from benchmarks.figures import watched
from benchmarks.load import closed
from benchmarks.machine import machine, save
from benchmarks.options import parser

CONNECTIONS = 32
KINDS = ("features", "120 candles")
RATE = 500
# The part of each file, by the beginning of its path or by a folder in it. The first match counts.
PARTS = {
    "onnxruntime/": "ONNX Runtime: both networks, and scalers",
    "server/http/bodies/json_decoding.py": "JSON to arrays, and their checks",
    "server/api/candle_forms.py": "JSON to arrays, and their checks",
    "server/api/decoding.py": "JSON to arrays, and their checks",
    "server/api/timestamps.py": "JSON to arrays, and their checks",
    "core/inference/inputs.py": "JSON to arrays, and their checks",
    "core/features/candles.py": "features",
    "core/features/catalogue.py": "features",
    "core/features/indicators.py": "features",
    "core/features/table.py": "features",
    "numpy/": "features",
    "server/api/answers.py": "encoding, timing, counting",
    "server/worker/timings.py": "encoding, timing, counting",
    "server/http/clock.py": "encoding, timing, counting",
    "server/worker/handlers/predict.py": "encoding, timing, counting",
    "prometheus_client/": "encoding, timing, counting",
    "core/": "choosing, batching, deciding, recording",
    "server/worker/predictor.py": "choosing, batching, deciding, recording",
    "server/worker/fast_path/": "HTTP and sockets",
    "server/http/connections/": "HTTP and sockets",
    "aiohttp/": "HTTP and sockets",
}
_REST = "the rest"


def part(frame: str) -> str:
    """Return the part of a function, given as `name (file:line)`."""
    return next((what for where, what in PARTS.items() if f"({where}" in frame or f"/{where}" in frame), _REST)


def shares(samples: str) -> dict[str, float]:
    """Return the share of each part in py-spy's raw format: stacks with semicolons, each with its number of samples."""
    found: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        found[part(stack.rpartition(";")[2])] += int(count)
    return {what: count / found.total() for what, count in found.most_common()}


def profiled(running: servers.Running, kind: str, seconds: float) -> dict[str, float]:
    """Return the microseconds for one answer by part, and their sum as `all`."""
    messages = bodies.messages(kind)
    whole = watched(running, closed, messages, CONNECTIONS, seconds)["cpu_us"]
    worker = running.pids[-1]
    load = threading.Thread(target=closed, args=(running.port, messages, CONNECTIONS, seconds + 1.0))
    with tempfile.NamedTemporaryFile() as file:
        load.start()
        spy = Path(sys.executable).parent / "py-spy"
        options = ["-d", f"{seconds:g}", "-r", str(RATE), "-f", "raw", "--nonblocking", "-o", file.name]
        subprocess.run(  # noqa: S603 - the command is fixed
            [spy, "record", "-p", str(worker), *options], check=True, capture_output=True
        )
        load.join()
        found = shares(Path(file.name).read_text())
    return {what: share * whole for what, share in found.items()} | {"all": whole}


def main() -> None:
    """Measure, and print microseconds by part and kind."""
    options = parser(__doc__, "profile", rounds=1, seconds=6.0).parse_args()
    about = machine()
    with servers.server(python=options.server, tree=options.tree) as running:
        by_kind = {kind: profiled(running, kind, options.seconds) for kind in KINDS}
    first = by_kind[KINDS[0]]
    names = sorted({name for found in by_kind.values() for name in found}, key=lambda name: -first.get(name, 0.0))
    parts = {name: {kind: found.get(name, 0.0) for kind, found in by_kind.items()} for name in names}
    save({"machine": about, "parts": parts}, options.output)


if __name__ == "__main__":
    main()
