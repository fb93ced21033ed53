"""Odd requests to a running server: python -m fuzz.http [--large 300] [--small 3000] [--examples 200].

First it sends bodies of odd sizes and shapes (fuzz/sizes.py) and measures how long other requests wait: bodies of 8 to
32 MiB, of 1 to 4 MiB, and of up to 1 MiB. Then it sends requests that schemathesis makes from /openapi.json, with all
its checks. The number 0 leaves out one kind. The exit code is 1 if an answer is a 5xx, or not as described. Tokens are
not tested here: tests/server/auth/test_access.py asks every endpoint.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import bodies, servers
from benchmarks.load import closed
from fuzz import sizes

HERE = Path(__file__).parent
# The id of the example in the API description, so that generated requests can find an experiment.
EXPERIMENT = "v30_vs_v31"


def prepare(port: int) -> None:
    """Create and activate an experiment, with predictions for its report."""
    about = {"experiment_id": EXPERIMENT, "name": "v3.0 against v3.1", "variant_a": "v3.0", "variant_b": "v3.1"}
    servers.manage(port, "/reversal/experiments", about | {"traffic_split": 0.5})
    servers.manage(port, f"/reversal/experiments/{EXPERIMENT}/activate")
    closed(port, bodies.messages("120 candles", users=True), 1, 0.2)


def _attack(port: int, *options: str) -> int:
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "--config-file",
        str(HERE / "schemathesis.toml"),
        "run",
    ]
    command += [f"http://127.0.0.1:{port}/openapi.json", *options]
    environ = os.environ | {"SCHEMATHESIS_HOOKS": "fuzz.hooks", "PYTHONPATH": str(HERE.parent)}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:  # schemathesis writes its cache into the working folder
        ended = subprocess.run(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - ours
    return ended.returncode


def main() -> None:
    """Send the requests, and print the findings."""
    options_of = argparse.ArgumentParser(description=__doc__)
    options_of.add_argument("--examples", type=int, default=200, help="for each endpoint, beside those of its limits")
    options_of.add_argument("--large", type=int, default=300, help="bodies of 8 to 32 MiB")
    options_of.add_argument("--medium", type=int, default=300, help="bodies of 1 to 4 MiB")
    options_of.add_argument("--small", type=int, default=3000, help="bodies of up to 1 MiB")
    options_of.add_argument("--seed", type=int, default=1)
    options_of.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    options_of.add_argument("--server", default=sys.executable, help="the Python that runs the server")
    options = options_of.parse_args()
    with servers.server(python=options.server) as running:
        prepare(running.port)
        counts = {"large": options.large, "medium": options.medium, "small": options.small}
        failed = min(1, sizes.run(running, options.seed, **counts))
        chosen = ["--max-examples", str(options.examples), "--seed", str(options.seed), "--phases", options.phases]
        if options.examples:
            failed |= _attack(running.port, *chosen)
    sys.exit(failed)


if __name__ == "__main__":
    main()
