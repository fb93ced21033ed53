"""What an item of a batch costs: CPU time and waiting, by the size of the batch and the form of its items.

One worker is asked by one connection, which sends the next batch as soon as the last one is answered. `cpu_us` is the
CPU time of all processes of the server, `us` is what the client waits (p50), both divided by the items of a batch. `in
an experiment` has the same with users and an active experiment, so that each answer is recorded. `beside` is the p99 of
single predictions while another client posts batches of 1,024, divided by that without batches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from benchmarks import bodies, servers
from benchmarks.background_load import under_load
from benchmarks.figures import medians, watched
from benchmarks.load import closed, message
from benchmarks.machine import machine, save
from benchmarks.options import parser

SIZES = (16, 128, 1_024)
LARGEST = SIZES[-1]
# By form: the kind in benchmarks.bodies, and what becomes of a body.
FORMS: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "features": ("features", dict),
    "objects": ("120 candles", dict),
    "columns": ("120 candles", bodies.as_columns),
}
# Different batches of one form.
_DIFFERENT = 4


class Case(NamedTuple):
    """One line of the result."""

    form: str
    size: int
    recorded: bool = False

    def __str__(self) -> str:
        return f"{self.form}, {self.size}" + (", in an experiment" if self.recorded else "")

    def messages(self) -> list[bytes]:
        """Return batches; each begins with another item."""
        kind, formed = FORMS[self.form]
        items = [bodies.encoded(formed(body)) for body in bodies.asking(kind, users=self.recorded)]
        orders = ([items[(start + i) % len(items)] for i in range(self.size)] for start in range(_DIFFERENT))
        return [message(bodies.BATCH, b'{"items":[' + b",".join(order) + b"]}") for order in orders]


CASES = [Case(form, size) for form in FORMS for size in SIZES]
RECORDED = [Case(form, LARGEST, recorded=True) for form in ("features", "objects")]


def an_item(running: servers.Running, case: Case, sent: Sequence[bytes], seconds: float) -> dict[str, float]:
    """Return the microseconds of an item. Raises SystemExit for an error."""
    found = watched(running, closed, sent, 1, seconds, 0.2)
    if found["errors"]:
        raise SystemExit(f"{case}: {found['errors']:g} errors")
    return {"cpu_us": found["cpu_us"] / case.size, "us": 1e3 * found["p50"] / case.size}


def beside(running: servers.Running, form: str, seconds: float) -> dict[str, float]:
    """Return the p99 of single predictions beside batches ÷ without, and the batches' items a second."""
    kind, formed = FORMS[form]
    singles = bodies.messages(kind)

    def p99() -> float:
        return closed(running.port, singles, 1, seconds).summary()["p99"]

    alone = p99()
    with_batches, rate = under_load(running.port, bodies.encoded(formed(bodies.asking(kind)[0])), p99)
    return {"p99": with_batches / alone, "items_per_second": rate}


def measured(running: servers.Running, number: int, seconds: float) -> Iterator[tuple[Case | str, dict[str, float]]]:
    """Yield the figures of a round: of each case, and beside batches of each form."""
    for cases in (CASES, RECORDED):
        with ExitStack() as during:
            if cases is RECORDED:
                during.enter_context(servers.experiment(running.port, f"speed{number}"))
            for case in cases:
                yield case, an_item(running, case, case.messages(), seconds)
    for form in ("features", "objects"):
        yield form, beside(running, form, seconds)


def main() -> None:
    """Measure everything in turns, and print the medians of the rounds."""
    options = parser(__doc__, "batches", rounds=5, seconds=1.0).parse_args()
    about = machine()
    rounds: defaultdict[Case | str, list[dict[str, float]]] = defaultdict(list)
    with servers.server(python=options.server, tree=options.tree) as running:
        for number in range(options.rounds):
            for name, figures in measured(running, number, options.seconds):
                rounds[name].append(figures)
    found = {which: medians(figures) for which, figures in rounds.items()}
    items = [
        {"form": which.form, "items": which.size, "experiment": "yes" if which.recorded else ""} | figures
        for which, figures in found.items()
        if isinstance(which, Case)
    ]
    singles = [{"form": which} | figures for which, figures in found.items() if isinstance(which, str)]
    save({"machine": about, "items": items, "beside": singles}, options.output)


if __name__ == "__main__":
    main()
