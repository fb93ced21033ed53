"""What an experiment costs: latency and throughput without one, with a split, and with a shadow.

One server with one worker; the experiment changes between measurements, which take turns. Every request is 120 candles
and a user; in "new candles" every request is of another pair, so that the shadow scores each one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.latency import EXAMPLE, ROOT, call, machine, message, start, tell

CONNECTIONS = 8
WARM_UP = 300
KINDS = ("no experiment", "split", "shadow, one candle", "shadow, new candles")
PAIR, USER = b"AAA/AAA", b"user00000000"


def requests(*, new_candles: bool) -> Callable[[], bytes]:
    """Makes prepared requests that differ in the user, and where asked for in the pair, by their bytes alone."""
    body = json.loads(EXAMPLE.read_text()) | {"pair": PAIR.decode(), "user_id": USER.decode()}
    head, after_pair = message("/reversal/predict", json.dumps(body).encode()).split(PAIR)
    between, tail = after_pair.split(USER)
    numbers = itertools.count()

    def following() -> bytes:
        number = next(numbers)
        pair = _pair(number) if new_candles else PAIR
        return b"".join((head, pair, between, b"user%08d" % number, tail))

    return following


def _pair(number: int) -> bytes:
    letters = bytearray()
    for _ in range(6):
        number, rest = divmod(number, 26)
        letters.append(65 + rest)
    return bytes(letters[:3] + b"/" + letters[3:])


def latency(port: int, following: Callable[[], bytes], seconds: float) -> dict[str, float]:
    """Milliseconds at one connection."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(WARM_UP):
            call(connection, following())
        times = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            data = following()
            began = time.perf_counter()
            call(connection, data)
            times.append(1000 * (time.perf_counter() - began))
    percentiles = statistics.quantiles(times, n=100)
    return {"p50": percentiles[49], "p99": percentiles[98]}


def throughput(port: int, following: Callable[[], bytes], seconds: float) -> float:
    """Predictions a second at CONNECTIONS connections, each asking as soon as it is answered."""
    end = time.perf_counter() + seconds
    counts = [0] * CONNECTIONS

    def ask(i: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while time.perf_counter() < end:
                call(connection, following())
                counts[i] += 1

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def manage(port: int, path: str, body: object = None) -> None:
    """A management call that must succeed."""
    data = b"{}" if body is None else json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"{head}Connection: close\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    if not answer.startswith(b"HTTP/1.1 20"):
        raise SystemExit(f"{path}: {answer.decode()}")


def turns(port: int, rounds: int) -> Iterator[str]:
    """Bring the server into each kind of state, in turns."""
    for number in range(rounds):
        for kind in KINDS:
            if kind == "no experiment":
                yield kind
                continue
            name = f"{kind.split(',')[0]}-{number}-{KINDS.index(kind)}"
            mode = kind.split(",")[0]
            manage(
                port,
                "/reversal/experiments",
                {"experiment_id": name, "name": name, "variant_a": "v3.1", "variant_b": "v3.0", "mode": mode}
                | ({"traffic_split": 1.0} if mode == "split" else {}),  # all to A: the same work as without
            )
            manage(port, f"/reversal/experiments/{name}/activate")
            yield kind
            manage(port, f"/reversal/experiments/{name}/stop")


def main() -> None:
    """Measure in turns, print medians and what each kind adds to none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default=sys.executable, help="the Python that runs the server")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each kind, measure and round")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "experiments.json")
    options = parser.parse_args()
    about = machine()
    found: dict[str, dict[str, list[float]]] = {
        kind: {"p50": [], "p99": [], "predictions_per_second": []} for kind in KINDS
    }
    with tempfile.TemporaryDirectory() as folder:
        process, _ = start(options.server, options.port, folder)
        try:
            for kind in turns(options.port, options.rounds):
                following = requests(new_candles=kind.endswith("new candles"))
                for key, value in latency(options.port, following, options.seconds).items():
                    found[kind][key].append(value)
                rate = throughput(options.port, following, options.seconds)
                found[kind]["predictions_per_second"].append(rate)
        finally:
            process.terminate()
            process.wait()
    medians = {kind: {key: statistics.median(values) for key, values in keys.items()} for kind, keys in found.items()}
    none = medians["no experiment"]
    result = {
        "machine": about,
        "connections": CONNECTIONS,
        "medians": {kind: {key: round(value, 3) for key, value in keys.items()} for kind, keys in medians.items()},
        "against_none": {
            kind: {
                "added_us_p50": round(1000 * (keys["p50"] - none["p50"])),
                "added_us_p99": round(1000 * (keys["p99"] - none["p99"])),
                "throughput_ratio": round(keys["predictions_per_second"] / none["predictions_per_second"], 3),
            }
            for kind, keys in medians.items()
            if kind != "no experiment"
        },
    }
    tell(result, options.output)


if __name__ == "__main__":
    main()
