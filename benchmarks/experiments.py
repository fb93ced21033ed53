"""What does an experiment cost? Latency and throughput without one, with a split, and with a shadow.

One server with one worker is measured in turns; the experiment changes between measurements. Every request has 120
candles and a user. In "new candles" every request has another pair, so that the shadow scores each one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

from benchmarks import bodies, servers
from benchmarks.figures import shortened
from benchmarks.load import closed, message
from benchmarks.machine import machine, save
from benchmarks.options import parser

CONNECTIONS = 8
KINDS = ("no experiment", "split", "shadow, one candle", "shadow, new candles")
PAIR, USER = b"AAA/AAA", b"user00000000"
# The version that answers in every state: as the active one, and as variant A.
ANSWERS = "v3.1"


class Requests(Sequence[bytes]):
    """Requests that differ in the user and, with `new_candles`, in the pair. Only these bytes change."""

    def __init__(self, first: int, *, new_candles: bool) -> None:
        """`first` is the number of the first request. Requests with different numbers are different."""
        body = bodies.requests("120 candles")[0] | {"pair": PAIR.decode(), "user_id": USER.decode()}
        head, after_pair = message(bodies.PREDICT, bodies.encoded(body)).split(PAIR)
        between, self._tail = after_pair.split(USER)
        self._head, self._between = head, between
        self._first = first
        self._new_candles = new_candles

    def __len__(self) -> int:
        return 10**8

    def __getitem__(self, index: int) -> bytes:  # type: ignore[override]  # slices are not used
        number = self._first + index
        pair = _pair(number) if self._new_candles else PAIR
        return b"".join((self._head, pair, self._between, b"user%08d" % number, self._tail))


def _pair(number: int) -> bytes:
    letters = bytearray()
    for _ in range(6):
        number, rest = divmod(number, 26)
        letters.append(65 + rest)
    return bytes(letters[:3] + b"/" + letters[3:])


def figures(port: int, kind: str, seconds: float) -> dict[str, float]:
    """Return milliseconds at one connection, and predictions a second at CONNECTIONS."""
    new = kind.endswith("new candles")
    alone = closed(port, Requests(0, new_candles=new), 1, seconds).summary()
    together = closed(port, Requests(10**7, new_candles=new), CONNECTIONS, seconds).summary()
    return {"p50": alone["p50"], "p99": alone["p99"], "predictions_per_second": together["per_second"]}


def turns(port: int, rounds: int) -> Iterator[str]:
    """Bring the server into each state in turns, and yield the name of the state."""
    for number in range(rounds):
        for place, kind in enumerate(KINDS):
            mode = kind.split(",")[0]
            fields = {"variant_a": ANSWERS, "variant_b": "v3.0", "mode": mode}
            with nullcontext() if place == 0 else servers.experiment(port, f"{mode}-{number}-{place}", **fields):
                yield kind


def main() -> None:
    """Measure in turns, and print the medians and what each kind adds to "no experiment"."""
    options = parser(__doc__, "experiments", rounds=7, seconds=1.5).parse_args()
    about = machine()
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with servers.server(python=options.server, tree=options.tree) as running:
        servers.manage(running.port, f"/reversal/models/{ANSWERS}/switch")
        for kind in turns(running.port, options.rounds):
            found[kind].append(figures(running.port, kind, options.seconds))
    medians = {
        kind: {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        for kind, rounds in found.items()
    }
    none = medians[KINDS[0]]
    result = {
        "machine": about,
        "connections": CONNECTIONS,
        "medians": {kind: {key: shortened(value) for key, value in keys.items()} for kind, keys in medians.items()},
        "against_none": {
            kind: {
                "added_us_p50": round(1000 * (keys["p50"] - none["p50"])),
                "added_us_p99": round(1000 * (keys["p99"] - none["p99"])),
                "throughput_ratio": round(keys["predictions_per_second"] / none["predictions_per_second"], 3),
            }
            for kind, keys in medians.items()
            if kind != KINDS[0]
        },
    }
    save(result, options.output)


if __name__ == "__main__":
    main()
