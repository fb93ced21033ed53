"""The part of `python -m benchmarks.hosts` that runs in namespaces of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.hosts import course, verdict
from benchmarks.hosts.cluster import running
from benchmarks.hosts.network import make_switch
from benchmarks.machine import machine, save
from tests.system.load import Load


def main() -> None:
    """Run the course, and save its figures. Exits with 1 if a promise is broken."""
    folder, old, new, output = map(Path, sys.argv[1:])
    about = machine()
    make_switch()
    with running(folder, old, course.COMMITTED) as cluster:
        load = Load(cluster.balancer.url, clients=course.CLIENTS, pause=course.PAUSE_SECONDS, body=course.question)
        events = course.Course(cluster, load, folder)
        with load.running():
            load.wait_for(course.AFTER)
            events.run(new)
        experiments = events.counted()
        for replica in cluster.replicas:
            replica.stop()
        logs = {each.name: each.log for each in (*cluster.replicas, cluster.balancer)}
    rows = verdict.figures(events.rows, load.answers)
    broken = [*verdict.wrong(rows, experiments, course.CLIENTS)]
    broken += [f"the log of {name} has a traceback" for name, log in logs.items() if "Traceback" in log]
    save({"machine": about, "events": rows, "experiments": experiments, "broken": broken}, output)
    for name, log in logs.items() if broken else ():
        output.with_name(f"{output.stem}-{name}.log").write_text(log)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
