"""The part of `python -m benchmarks.hosts` that runs in namespaces of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.hosts import course, verdict
from benchmarks.hosts.cluster import Cluster, running
from benchmarks.hosts.network import make_switch
from benchmarks.machine import machine, save
from tests.system.load import Load


@contextmanager
def logs_kept(cluster: Cluster, output: Path) -> Iterator[None]:
    """Keep the logs beside the output, also after an error."""
    try:
        yield
    finally:
        for each in (*cluster.replicas, cluster.balancer):
            output.with_name(f"{output.stem}-{each.name}.log").write_text(each.log)


def main() -> None:
    """Run the course, and save its figures. Exits with 1 if a promise is broken."""
    folder, old, new, output = map(Path, sys.argv[1:])
    about = machine()
    make_switch()
    with running(folder, old, course.served(folder / "served")) as cluster, logs_kept(cluster, output):
        load = Load(cluster.balancer.url, clients=course.CLIENTS, pause=course.PAUSE_SECONDS, body=course.question)
        events = course.Course(cluster, load, folder)
        with load.running():
            load.wait_for(course.AFTER)
            events.run(new)
        stored = events.stored()
        broken = [*events.wrong_totals()]
        for replica in cluster.replicas:
            replica.stop()
        logs = {each.name: each.log for each in cluster.replicas}
    rows = verdict.figures(events.rows, load.answers, {each for ids in stored.values() for each in ids})
    experiments = verdict.counts(events.answered(), stored)
    broken += [*verdict.wrong(rows, experiments, course.CLIENTS)]
    broken += [f"the log of replica {name} has a traceback" for name, log in logs.items() if "Traceback" in log]
    save({"machine": about, "events": rows, "experiments": experiments, "broken": broken}, output)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
