"""Memory of one worker after many predictions, beside its memory after few.

Requests with features and with candles come in turns, over many connections.
"""

from __future__ import annotations

import itertools

from benchmarks import bodies, options
from benchmarks.figures import shortened
from benchmarks.load import LoadError, closed
from benchmarks.machine import machine, save
from benchmarks.servers import Running, server

FEW = 10_000
CONNECTIONS = 64
KINDS = ("features", "120 candles")


def answered(running: Running, messages: list[bytes], count: int, seconds: float) -> int:
    """Send requests until at least `count` are answered, in parts of at most `seconds`; returns the number of answers.

    Raises LoadError if a request is answered with an error.
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


def resident(running: Running) -> float:
    """Return the resident memory in MiB of the only worker, which is the process that was started last."""
    return running.rss_mib[-1]


def main() -> None:
    """Send predictions, measure the memory, and print the ratio."""
    parser = options.parser(__doc__, "memory", rounds=1, seconds=5.0)
    parser.add_argument("--predictions", type=int, default=1_000_000)
    given = parser.parse_args()
    about = machine()
    messages = list(itertools.chain(*zip(*(bodies.messages(kind) for kind in KINDS), strict=True)))
    with server(python=given.server, tree=given.tree) as running:
        found = {"MiB after the start": resident(running)}
        done, wanted = 0, FEW
        while done < given.predictions:
            done += answered(running, messages, wanted - done, given.seconds)
            found[f"MiB after {wanted:,} predictions"] = last = resident(running)
            wanted = min(10 * wanted, given.predictions)
    few = found[f"MiB after {FEW:,} predictions"]
    save({"machine": about} | found | {"ratio": shortened(last / few)}, given.output)


if __name__ == "__main__":
    main()
