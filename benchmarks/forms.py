"""The forms in which 120 candles can be sent, beside one window of features: what each costs.

One worker is asked by one connection and by 32, with all forms in turns. It is measured twice: with the extension in C
(core/native), which must have been built, and without it. Before that, all answers are compared: those of all forms are
the same to the bit. The features are the window that is computed from these candles, rounded.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

from benchmarks import bodies, protocols, servers
from benchmarks.figures import medians, shortened, watched
from benchmarks.load import closed, message
from benchmarks.machine import machine, save
from benchmarks.options import parser

FEATURES = "features"
CONNECTIONS = (1, 32)
# The extension beside its sources.
NATIVE = Path("core", "native")


def ways() -> list[protocols.Way]:
    """Return all forms of candles, that as objects first."""
    asking = bodies.asking("120 candles")
    said = {way.name: way for way in protocols.ways(asking, grpc=False)}
    found = [said[protocols.JSON]]
    for name, formed in (("columns", bodies.as_columns), ("rows", bodies.as_rows)):
        sent = [message(bodies.PREDICT, bodies.encoded(formed(body))) for body in asking]
        found.append(found[0]._replace(name=name, messages=sent))
    return [*found, said["V2 binary"], said["V2 candles alone"]]


def messages() -> dict[str, Sequence[bytes]]:
    """Return the requests of each form, those from features first."""
    named = {protocols.JSON: "objects"}
    found = {named.get(way.name, way.name): way.messages for way in ways()}
    return {FEATURES: bodies.messages("features")} | found


@contextmanager
def without_extension(tree: Path) -> Iterator[Path]:
    """Make a tree that has everything of another one, except the extension."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        made = Path(folder)
        for each in tree.iterdir():
            if each.name != NATIVE.parts[0]:
                (made / each.name).symlink_to(each)
        copytree(tree / NATIVE.parts[0], made / NATIVE.parts[0], ignore=ignore_patterns("*.so", "__pycache__"))
        yield made


def row(
    which: dict[str, Any], kind: str, of_kind: Sequence[dict[str, float]], features: Sequence[dict[str, float]]
) -> dict[str, Any]:
    """Return the medians of one form, and those of its ratios to features in the same round."""
    ratios = {
        key: shortened(statistics.median(a[key] / b[key] for a, b in zip(of_kind, features, strict=True)))
        for key in ("p50", "cpu_us")
    }
    return which | {"form": kind, "figures": medians(of_kind), "ratios": ratios}


def main() -> None:
    """Measure, and print the medians of the rounds."""
    options = parser(__doc__, "forms", rounds=9, seconds=0.4).parse_args()
    about = machine()
    if not list((options.tree / NATIVE).glob("*.so")):
        raise SystemExit("the extension is missing: python core/native/build.py")
    sent = messages()
    found: dict[tuple[str, int, str], list[dict[str, float]]] = defaultdict(list)
    with without_extension(options.tree) as pure:
        at = {"python": options.server}
        with servers.server(**at, tree=options.tree) as one, servers.server(**at, tree=pure) as other:
            running = {"with": one, "without": other}
            for each in running.values():
                protocols.check(dict.fromkeys([way.name for way in ways()], each.port), ways())
            for _ in range(options.rounds):
                for name, each in running.items():
                    with servers.apart(each):
                        for connections in CONNECTIONS:
                            for kind, of_kind in sent.items():
                                figures = watched(each, closed, of_kind, connections, options.seconds, 0.1)
                                if figures["errors"]:
                                    raise SystemExit(f"{kind}: {figures['errors']:g} errors")
                                found[name, connections, kind].append(figures)
    rows = [
        row({"extension": name, "connections": connections}, kind, of_kind, found[name, connections, FEATURES])
        for (name, connections, kind), of_kind in sorted(found.items(), key=lambda item: item[0][:2])
    ]
    about_run = {"rounds": options.rounds, "seconds": options.seconds}
    save({"machine": about, "load_after": machine()["load"], **about_run, "rows": rows}, options.output)


if __name__ == "__main__":
    main()
