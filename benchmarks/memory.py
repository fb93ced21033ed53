"""What a worker weighs after many predictions, against its weight after a few.

Windows and candles in turns, over many connections.
"""

from __future__ import annotations

import itertools

from benchmarks import bodies, options
from benchmarks.figures import shortened
from benchmarks.load import LoadError, closed
from benchmarks.machine import machine, tell
from benchmarks.servers import Running, server

FEW = 10_000
CONNECTIONS = 64
KINDS = ("features", "120 candles")


def answered(running: Running, messages: list[bytes], count: int, seconds: float) -> int:
    """Ask until at least so many are answered, in pieces of at most `seconds`; returns how many were.

    Raises LoadError where one is answered with an error.
    """
    done, rate = 0, 1000.0
    while done < count:
        piece = min(seconds, (count - done) / rate)
        result = closed(running.port, messages, CONNECTIONS, piece, warm_up=0.0)
        if result.errors:
            raise LoadError(f"{result.errors} of {len(result.times)} requests were answered with errors")
        done += len(result.times)
        rate = len(result.times) / piece
    return done


def weight(running: Running) -> float:
    """MiB of the one worker that are in memory; it is the last that was started."""
    return running.rss_mib[-1]


def main() -> None:
    """Ask, weigh, and print the ratio."""
    parser = options.parser(__doc__, "memory", rounds=1, seconds=5.0)
    parser.add_argument("--predictions", type=int, default=1_000_000)
    given = parser.parse_args()
    about = machine()
    messages = list(itertools.chain(*zip(*(bodies.messages(kind) for kind in KINDS), strict=True)))
    with server(python=given.server, tree=given.tree) as running:
        found = {"MiB after the start": weight(running)}
        done, wanted = 0, FEW
        while done < given.predictions:
            done += answered(running, messages, wanted - done, given.seconds)
            found[f"MiB after {wanted:,} predictions"] = last = weight(running)
            wanted = min(10 * wanted, given.predictions)
    few = found[f"MiB after {FEW:,} predictions"]
    tell({"machine": about} | found | {"ratio": shortened(last / few)}, given.output)


if __name__ == "__main__":
    main()
