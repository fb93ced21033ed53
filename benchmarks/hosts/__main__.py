"""Several machines, for real: what clients notice while hosts, versions and releases change.

Two replicas behind HAProxy and PostgreSQL with a standby run on hosts in network namespaces, under load. The replicas
begin with the release of --old, and get that of this checkout one after the other. The run fails, and exits with 1, if
a request fails that was not on a connection to a replica that was cut off, if the replicas need longer than 2 s to have
one state, if the releases answer differently, or if an exposure is lost or recorded twice.

Needs root, Debian's packages haproxy and iproute2, and the binaries of PostgreSQL of the development requirements.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.hosts.releases import OLD, built
from benchmarks.machine import BUILD, ROOT

# An end for a run that hangs.
_SECONDS = 600


def main() -> None:
    """Build both releases, then run everything in namespaces that end with this process."""
    options_of = argparse.ArgumentParser(description=__doc__)
    options_of.add_argument("--old", default=OLD, help="the commit of the old release")
    options_of.add_argument("--output", type=Path, default=BUILD / "hosts.json")
    options = options_of.parse_args()
    with tempfile.TemporaryDirectory(prefix="hosts-") as name:
        folder = Path(name)
        old, new = built(folder, options.old)
        inside = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        arguments = [str(each) for each in (folder, old, new, options.output.absolute())]
        call = [*inside, sys.executable, "-m", "benchmarks.hosts.inside", *arguments]
        sys.exit(subprocess.run(call, cwd=ROOT, check=False, timeout=_SECONDS).returncode)  # noqa: S603 - our own


if __name__ == "__main__":
    main()
