"""A server of an earlier commit beside one of today, on one PostgreSQL, as during an upgrade."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import needs
from tests.core.store.old_stores import (
    COMMITS,
    VERSIONS,
    asked,
    checked_out,
    exported,
    predicted,
    running,
    wait_for_count,
)
from tests.market import ROOT
from tests.postgres import any_postgres, database
from tests.processes import get, post
from tests.waiting import wait_until

# From the first release on, steps only add. Before it, those from 8 on did.
OLDEST = 7


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in COMMITS if int(name.partition("_")[0]) >= OLDEST])
def test_both_releases_answer_record_and_follow_each_other(name: str, tmp_path: Path) -> None:
    known = ["git", "cat-file", "-e", COMMITS[name]]
    if subprocess.run(known, cwd=ROOT, capture_output=True, check=False).returncode:
        needs.missing(f"commit {COMMITS[name]} is not in this repository")
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    with (
        any_postgres() as server,
        database(server) as url,
        checked_out(COMMITS[name]) as source,
        running(source, url, tmp_path / "old") as (old, _),
    ):
        asked(old, "experiments", {"experiment_id": "split", "name": "Before the upgrade", **VERSIONS})
        asked(old, "experiments/split/activate")
        predicted(old, 0, "user-1")
        wait_for_count(old, "split", 1)
        with running(ROOT, url, tmp_path / "new") as (new, _):
            of_old, of_new = predicted(old, 1, "user-2"), predicted(new, 2, "user-3")
            for base in (old, new):
                wait_for_count(base, "split", 3)
            # Each takes the outcome of the other one's prediction.
            for base, prediction in ((old, of_new), (new, of_old)):
                outcome = {"prediction_id": prediction["prediction_id"], "outcome": "win"}
                assert asked(base, "outcomes", {"outcomes": [outcome]})["recorded"] == 1
            of_both = zip(exported(old, "split"), exported(new, "split"), strict=True)
            assert all(seen.items() <= shown.items() for seen, shown in of_both)
            for first, second, version in ((old, new, "v3.0"), (new, old, "v3.1")):
                assert post(f"{first}/reversal/models/{version}/switch")[0] == 200
                wait_until(lambda: get(f"{second}/health")[1]["model_version"] == version)  # noqa: B023
            asked(new, "experiments/split/stop")
            wait_until(lambda: "experiment" not in predicted(old, 3, "user-4"))
        predicted(old, 4, "user-1")  # the newer one has gone again
    for folder in ("old", "new"):
        assert " ERROR " not in (tmp_path / folder / "log").read_text()
