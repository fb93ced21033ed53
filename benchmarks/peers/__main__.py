"""Speed of this server beside other servers on the same work, measured in turns; ratios are of the same round.

Each server has one worker, then one worker per core, at 1, 8 and 32 connections in a closed loop. This server runs
twice: without an experiment and during one. For a peer with several settings, the fastest one counts.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks import bodies, servers
from benchmarks.load import LoadError
from benchmarks.machine import machine, save
from benchmarks.options import parser
from benchmarks.peers.comparison import CONNECTIONS, PEER, Cell, Contender, Entry, check, hardest, row, settle, turn
from benchmarks.peers.peer import Body, Peer, PeerError, peers

NONE, EXPERIMENT = "none", "ab"
KIND = "features"


@contextmanager
def ours(python: str, workers: int, **options: Any) -> Iterator[dict[str, Contender]]:  # noqa: ANN401 - the arguments of servers.server
    """Run this server without an experiment, and a second one during an experiment."""
    with ExitStack() as stack:
        plain, testing = (stack.enter_context(servers.server(python=python, workers=workers, **options)) for _ in "ab")
        stack.enter_context(servers.experiment(testing.port))
        yield {
            NONE: Contender(plain, bodies.messages(KIND)),
            EXPERIMENT: Contender(testing, bodies.messages(KIND, users=True)),
        }


def compare(
    entry: Entry, mine: Mapping[str, Contender], number: int, seconds: float
) -> Iterator[tuple[Cell, dict[str, dict[str, float]]]]:
    """Start a peer, check in the first round that it does the same work, and measure it beside this server."""
    peer, setting, workers = entry
    asked: list[Body] = bodies.asking(KIND)
    port = servers.free_port()
    with servers.started(peer.command(port, workers, setting), port, ready=peer.ready) as running:
        if number == 0:
            check(peer, running, asked, mine[NONE])
        contenders = {**mine, PEER: Contender(running, [peer.message(body) for body in asked])}
        times = dict.fromkeys(contenders, seconds) | {PEER: max(seconds, peer.seconds)}
        settle([each.running for each in contenders.values()])
        for connections in CONNECTIONS:
            yield Cell(peer.name, setting, workers, connections), turn(contenders, times, connections, number)


def built(chosen: Iterable[Peer], failed: dict[str, str]) -> list[Peer]:
    """Return the peers that can be installed; `failed` gets the error of each other one."""
    found = []
    for peer in chosen:
        try:
            peer.build()
            found.append(peer)
        except PeerError as error:
            failed[peer.name] = str(error)
    return found


def main() -> None:
    """Measure, and print the medians of the rounds. Exits with 1 if a peer cannot be compared."""
    options_of = parser(__doc__, "peers", rounds=5, seconds=0.6)
    known = {peer.name: peer for peer in peers()}
    options_of.add_argument("--peer", action="append", choices=known, help="only this peer; can be repeated")
    options_of.add_argument("--quick", action="store_true", help="one short round, to check that everything runs")
    options = options_of.parse_args()
    rounds, seconds = (1, 0.3) if options.quick else (options.rounds, options.seconds)
    about = machine()
    failed: dict[str, str] = {}
    chosen = built([known[name] for name in options.peer or known], failed)
    found: dict[Cell, list[dict[str, dict[str, float]]]] = defaultdict(list)
    for number in range(rounds):
        for workers in sorted({1, about["cores"]}):
            with ours(options.server, workers, tree=options.tree) as mine:
                for entry in [Entry(peer, setting, workers) for peer in chosen for setting in peer.settings]:
                    if str(entry) in failed:
                        continue
                    print(f"round {number + 1} of {rounds}: {entry}", file=sys.stderr)
                    try:
                        for cell, figures in compare(entry, mine, number, seconds):
                            found[cell].append(figures)
                    except (PeerError, LoadError) as error:
                        failed[str(entry)] = str(error)
    rows = [row(cell, each) for cell, each in found.items()]
    save(
        {
            "machine": about,
            "load_after": machine()["load"],
            "rounds": rounds,
            "seconds": seconds,
            "peers": {peer.name: {"title": peer.title, "versions": peer.versions} for peer in chosen},
            "not_compared": failed,
            "hardest": hardest(rows, about["cores"]),
            "rows": rows,
        },
        options.output,
    )
    if failed:
        sys.exit("\n".join(f"not compared: {name}: {reason}" for name, reason in failed.items()))


if __name__ == "__main__":
    main()
