"""This server and a peer side by side: check that their answers are the same, measure both, and form ratios."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from benchmarks.figures import medians, shortened, watched
from benchmarks.load import Connection, closed
from benchmarks.peers.peer import Body, Form, Ours, Peer, PeerError
from benchmarks.servers import Running

CONNECTIONS = (1, 8, 32)
TOLERANCE = 1e-4
PROBABILITIES = ("confidence", "stage1_prob", "stage2_prob")
# The figures of which ratios are formed, this server ÷ the peer.
RATIOS = {"throughput": "per_second", "p50": "p50", "p99": "p99"}
PEER = "peer"
_SETTLE_SECONDS = 60.0
_LOOK_SECONDS = 0.2
# The share of a core below which servers count as idle.
_REST = 0.1


class Contender(NamedTuple):
    """A running server and the requests for it."""

    running: Running
    messages: Sequence[bytes]


class Entry(NamedTuple):
    """A peer with one of its settings and a number of workers."""

    peer: Peer
    setting: str
    workers: int

    def __str__(self) -> str:
        return f"{self.peer.name}, {self.setting}, {self.workers} worker{'s' * (self.workers > 1)}"


class Cell(NamedTuple):
    """One combination that is measured in every round."""

    peer: str
    setting: str
    workers: int
    connections: int


def answers(running: Running, messages: Sequence[bytes], form: Form) -> list[Body]:
    """Return the answer to each message. Raises LoadError if one is an error."""
    with closing(Connection(running.port)) as connection:
        return [form.answer(json.loads(connection.ask(message).partition(b"\r\n\r\n")[2])) for message in messages]


def check_alike(ours: Sequence[Body], theirs: Sequence[Body]) -> None:
    """Check that a peer gives the same signals, and probabilities within TOLERANCE. Raises PeerError if not."""
    for number, (expected, found) in enumerate(zip(ours, theirs, strict=True)):
        if found["signal"] != expected["signal"]:
            raise PeerError(f"body {number}: the peer's signal is {found['signal']}, expected {expected['signal']}")
        for name in PROBABILITIES:
            # Not written with >, because NaN must fail as well.
            if not abs(found[name] - expected[name]) <= TOLERANCE:
                raise PeerError(f"body {number}: the peer's {name} is {found[name]}, expected {expected[name]}")


def check_refuses(peer: Peer, running: Running, body: Body) -> None:
    """Check that a peer validates its input and refuses a matrix without the last row. Raises PeerError if not."""
    with closing(Connection(running.port)) as connection:
        connection.send(peer.message(body | {"features": body["features"][:-1]}), time.perf_counter())
        while not connection.receive():
            pass
        if connection.ok:
            raise PeerError("the peer accepts a matrix without its last row")


def check(peer: Peer, running: Running, bodies: Sequence[Body], ours: Contender) -> None:
    """Check that a peer does the same work. Raises PeerError if not, LoadError if it does not answer."""
    messages = [peer.message(body) for body in bodies]
    check_alike(answers(ours.running, ours.messages, Ours()), answers(running, messages, peer.form))
    check_refuses(peer, running, bodies[0])


def settle(servers: Sequence[Running]) -> None:
    """Wait until all servers are idle, because some answer while some workers still start. Raises PeerError."""
    end = time.perf_counter() + _SETTLE_SECONDS
    used = -math.inf
    while (now := sum(each.cpu_seconds for each in servers)) - used > _REST * _LOOK_SECONDS:
        if time.perf_counter() > end:
            raise PeerError(f"the servers are not idle {_SETTLE_SECONDS:g} s after their start")
        used = now
        time.sleep(_LOOK_SECONDS)


def turn(
    contenders: Mapping[str, Contender], seconds: Mapping[str, float], connections: int, number: int
) -> dict[str, dict[str, float]]:
    """Measure the contenders one after the other; the number of the round decides which one is first.

    The figures are those of the load, `rss_mib` of all processes of the server (shared pages count in each), and
    `resting_cores`, the cores that the other servers used at the same time, which should be 0.
    """
    names = list(contenders)
    first = number % len(names)
    found = {}
    for name in names[first:] + names[:first]:
        running, messages = contenders[name]
        others = [each.running for other, each in contenders.items() if other != name]
        used, began = sum(other.cpu_seconds for other in others), time.perf_counter()
        figures = watched(running, closed, messages, connections, seconds[name])
        rested = (sum(other.cpu_seconds for other in others) - used) / (time.perf_counter() - began)
        if figures["errors"]:
            raise PeerError(f"{name}: {figures['errors']:.0f} answers are errors at {connections} connections")
        found[name] = figures | {"rss_mib": sum(running.rss_mib), "resting_cores": rested}
    return {name: found[name] for name in names}


def row(cell: Cell, rounds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Return the medians of the rounds, and the ratios of this server to the peer by round: median and range."""
    ours = [name for name in rounds[0] if name != PEER]
    return {
        **cell._asdict(),
        "rounds": len(rounds),
        "figures": {name: medians([each[name] for each in rounds]) for name in rounds[0]},
        "ratios": {
            name: {
                ratio: _spread([each[name][figure] / each[PEER][figure] for each in rounds])
                for ratio, figure in RATIOS.items()
            }
            for name in ours
        },
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    middle, least, greatest = map(shortened, (statistics.median(values), min(values), max(values)))
    return {"median": middle, "least": least, "greatest": greatest}


def hardest(rows: Iterable[Mapping[str, Any]], cores: int) -> dict[str, Any]:
    """Return the ratios to each peer's fastest setting, by peer, workers ("one" or "cores") and connections.

    The ratios are by the name of the state of this server: without an experiment, and during one.
    """
    found: dict[str, Any] = defaultdict(lambda: defaultdict(dict))
    for each in rows:
        at = found[each["peer"]]["cores" if each["workers"] == cores else "one"]
        done = each["figures"][PEER]["per_second"]
        best = at.get(str(each["connections"]), {"per_second": -math.inf})
        if done > best["per_second"]:
            at[str(each["connections"])] = {
                "setting": each["setting"],
                "per_second": done,
                **{
                    name: {ratio: spread["median"] for ratio, spread in ratios.items()}
                    for name, ratios in each["ratios"].items()
                },
            }
    return {peer: dict(by_workers) for peer, by_workers in found.items()}
