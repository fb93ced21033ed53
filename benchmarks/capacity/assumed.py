"""What the plan assumes, and does not measure. docs/capacity.md has it as a table."""

from __future__ import annotations

from typing import Any

from core.store.drivers.database import PATIENCE_SECONDS
from server.settings import read
from server.worker.upstream.session import ANSWER_SECONDS

CORES = 16
BUSY = 0.6
SPARE = 1
VERSIONS = 4
NETWORK_GBIT = 10
DISK_GIB = 1024
OUTCOMES = 0.5
JOURNALS_MIB = read([], {}).journals_mib


def assumptions() -> list[dict[str, Any]]:
    """Return what the plan assumes."""
    found = {
        "cores of a machine, each with one worker": CORES,
        "share of a part's limit that is used, so that a busy moment does not queue": f"{BUSY:.0%}",
        "machines of a kind to spare, so that one may fail": SPARE,
        "loaded versions": VERSIONS,
        "network of a machine, each way": f"{NETWORK_GBIT} Gbit/s",
        "disk of a store": f"{DISK_GIB:,} GiB",
        "outcomes for each exposure": OUTCOMES,
        "journals of a machine (the default of `REVERSAL_JOURNALS_MIB`)": f"{JOURNALS_MIB:,} MiB",
        "the longest wait for a report (a worker waits so long for the keeper)": f"{ANSWER_SECONDS:g} s",
        "the longest wait for the writer's turn (then the store counts as unavailable)": f"{PATIENCE_SECONDS:g} s",
    }
    return [{"assumption": name, "value": value} for name, value in found.items()]
