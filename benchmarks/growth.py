"""What becomes slower when there is more of it: candles, versions, experiments, exposures, workers.

All sizes of one kind are measured in turns. Sizes that need a different state or start have separate servers.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import onnx

from benchmarks import bodies, servers, stored
from benchmarks.figures import medians, watched
from benchmarks.load import closed, message
from benchmarks.machine import ROOT, machine, save
from benchmarks.options import parser
from benchmarks.servers import Running

CANDLES = (70, 120, 250, 500, 1000, 2000)
VERSIONS = (1, 2, 4, 8, 16)
EXPERIMENTS = (0, 10, 100, 1000)
WORKERS = (1, 2, 4)
BUSY = 32
Rows: TypeAlias = list[dict[str, Any]]
Figures: TypeAlias = dict[str, float]


class Growth:
    """The measurements, with the options of the command line."""

    def __init__(self, options: Namespace) -> None:
        self._options = options

    def candles(self) -> Rows:
        """Measure requests with different numbers of candles."""
        with self._server() as running:
            return self._in_turns(
                "candles", dict.fromkeys(CANDLES, running), lambda r, n: self._alone(r, bodies.messages(f"{n} candles"))
            )

    def versions(self) -> Rows:
        """Measure servers with different numbers of loaded versions."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            running = {
                n: stack.enter_context(self._server("--models", str(copies(folder / str(n), n)))) for n in VERSIONS
            }
            rows = self._in_turns("versions", running, lambda r, _: self._both(r))
            for row in rows:
                each = running[row["versions"]]
                row |= {"ready_seconds": round(each.ready_seconds, 3), "worker_mib": each.rss_mib[-1]}
            return rows

    def experiments(self) -> Rows:
        """Measure servers with different numbers of stored experiments, none of them active."""
        with ExitStack() as stack:
            running = {n: stack.enter_context(self._server()) for n in EXPERIMENTS}
            for n, each in running.items():
                for i in range(n):
                    about = {"experiment_id": f"e{i}", "name": "one of many", "variant_a": "v3.0", "variant_b": "v3.1"}
                    servers.manage(each.port, "/reversal/experiments", about | {"traffic_split": 0.5})
            return self._in_turns(
                "experiments",
                running,
                lambda r, _: self._alone(r, bodies.messages("features")) | self._p50(r, list="/reversal/experiments"),
            )

    def exposures(self) -> Rows:
        """Measure servers with an active experiment that has no, few or many exposures.

        Few and many exposures are on the same number of candles.
        """
        with ExitStack() as stack:
            running = {}
            for n in (0, 1, self._options.exposures):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self._options.folder)))
                number = stored.fill(folder / "state.db", n)
                running[number] = stack.enter_context(self._server(state=folder))
                servers.manage(running[number].port, f"/reversal/experiments/{stored.EXPERIMENT}/activate")
            paths = {key: f"/reversal/experiments/{stored.EXPERIMENT}/{key}" for key in ("metrics", "report")}
            rows = self._in_turns("exposures", running, lambda r, _: self._both(r, users=True) | self._p50(r, **paths))
            for row in rows:
                row["ready_seconds"] = round(running[row["exposures"]].ready_seconds, 3)
            return rows

    def workers(self) -> Rows:
        """Measure servers with different numbers of workers."""
        with ExitStack() as stack:
            running = {n: stack.enter_context(self._server(workers=n)) for n in WORKERS}
            return self._in_turns("workers", running, lambda r, _: self._both(r))

    def _server(self, *flags: str, **keywords: Any) -> AbstractContextManager[Running]:  # noqa: ANN401 - the arguments of servers.server
        return servers.server(*flags, python=self._options.server, tree=self._options.tree, **keywords)

    def _in_turns(self, name: str, running: dict[int, Running], measure: Callable[[Running, int], Figures]) -> Rows:
        rounds = defaultdict(list)
        for _ in range(self._options.rounds):
            for size, each in running.items():
                rounds[size].append(measure(each, size))
        return [{name: size} | medians(found) for size, found in rounds.items()]

    def _alone(self, running: Running, messages: list[bytes]) -> Figures:
        found = watched(running, closed, messages, 1, self._options.seconds)
        return {"p50": found["p50"], "p99": found["p99"], "cpu_us": found["cpu_us"]}

    def _both(self, running: Running, *, users: bool = False) -> Figures:
        messages = bodies.messages("features", users=users)
        busy = watched(running, closed, messages, BUSY, self._options.seconds)
        return self._alone(running, messages) | {
            f"per_second_at_{BUSY}": busy["per_second"],
            f"p99_at_{BUSY}": busy["p99"],
        }

    def _p50(self, running: Running, **paths: str) -> Figures:
        return {
            f"{name}_ms": closed(running.port, [message(path)], 1, self._options.seconds).summary()["p50"]
            for name, path in paths.items()
        }


def copies(folder: Path, number: int) -> Path:
    """Fill a folder with `number` versions that compute the same as v3.0, each with its own graphs.

    Graphs with the same bytes share a session, so plain copies would need no memory. Each graph therefore contains the
    name of its version.
    """
    for i in range(number):
        version = folder / ("v3.0" if i == 0 else f"copy-{i}")
        shutil.copytree(ROOT / "models" / "onnx" / "v3.0", version)
        manifest = (version / "manifest.json").read_text()
        for path in version.glob("*.onnx"):
            before = path.read_bytes()
            graph = onnx.load_from_string(before)
            graph.doc_string = version.name
            path.write_bytes(graph.SerializeToString())
            manifest = manifest.replace(sha256(before).hexdigest(), sha256(path.read_bytes()).hexdigest())
        (version / "manifest.json").write_text(json.dumps(json.loads(manifest) | {"version": version.name}))
    return folder


def parts(growth: Growth) -> Iterator[tuple[str, Rows]]:
    """Run each measurement, and yield its name and rows."""
    for part in (growth.candles, growth.versions, growth.experiments, growth.exposures, growth.workers):
        yield part.__name__, part()


def main() -> None:
    """Measure, and print the medians of the rounds."""
    made = parser(__doc__, "growth", rounds=3, seconds=0.5)
    made.add_argument("--exposures", type=int, default=10_000_000, help="the most; about 300 bytes of disk each")
    made.add_argument("--folder", type=Path, help="where to store exposures; default: temporary files")
    options = made.parse_args()
    about = machine()
    rows = dict(parts(Growth(options)))
    save({"machine": about, "rounds": options.rounds, "seconds": options.seconds} | rows, options.output)


if __name__ == "__main__":
    main()
