"""Several machines: what clients notice while hosts, versions and releases change, and what breaks a promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.hosts import releases, verdict
from tests import needs
from tests.market import ROOT
from tests.namespaces import needs as can_run
from tests.system.load import Answer, print_figures

pytestmark = pytest.mark.serial  # starts servers, and measures whether requests fail


@pytest.mark.long
@pytest.mark.timeout(900)
def test_several_machines_lose_no_request_and_no_exposure_while_everything_changes(tmp_path: Path) -> None:
    can_run("unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--mount-proc", "true")
    for program, package in (("haproxy", "haproxy"), ("ip", "iproute2"), ("nsenter", "util-linux")):
        needs.program(program, package)
    if not releases.is_there():
        needs.missing(f"this clone has no commit {releases.OLD}: git fetch --unshallow")
    output = tmp_path / "hosts.json"
    call = [sys.executable, "-m", "benchmarks.hosts", "--output", str(output)]
    run = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)
    assert output.exists(), run.stderr
    result = json.loads(output.read_text())
    print_figures(json.dumps(result["events"], indent=1))
    assert result["broken"] == []
    assert run.returncode == 0
    events = result["events"]
    assert len(events) == 12
    assert sum(each["promised"] for each in events) == 4
    assert [each["side_by_side"]["equal"] for each in events if "side_by_side" in each] == [144]
    assert len(result["experiments"]) == 5


def row(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - figures of any kind
    given = {"event": "an event", "begin": 0.0, "end": 10.0, "seconds_until_one_state": 1.0, "promised": True}
    return given | fields


def answer(sent: float, status: int = 200, came: float | None = None, prediction_id: str | None = None) -> Answer:
    data = {} if prediction_id is None else {"prediction_id": prediction_id}
    return Answer(sent, sent + 0.5 if came is None else came, status, data, "" if status == 200 else "closed")


def broken(
    given: dict[str, Any], answers: list[Answer], stored: dict[str, list[str]] | None = None, clients: int = 2
) -> list[str]:
    ids = {each.prediction_id for each in answers if each.prediction_id is not None}
    found = {"first": sorted(ids)} if stored is None else stored
    figures = verdict.figures([given], answers, list(found["first"]))
    return [*verdict.wrong(figures, verdict.counts({"first": ids}, found), clients)]


GOOD = [answer(1.0, prediction_id="p1"), answer(2.0, prediction_id="p2")]


def test_a_run_without_a_failure_breaks_no_promise() -> None:
    assert broken(row(), GOOD) == []
    (figures,) = verdict.figures([row()], [*GOOD, answer(11.0)], ["p1"])
    assert (figures["requests"], figures["answered_in_experiments"], figures["recorded"]) == (2, 2, 1)
    assert figures["longest_ms"] == 500.0


def test_an_event_without_requests_shows_nothing() -> None:
    (found,) = broken(row(begin=5.0), GOOD)
    assert found == "an event: no request"


@pytest.mark.parametrize("status", [0, 502, 504])
def test_a_request_may_fail_only_on_a_connection_to_the_replica_that_is_cut_off(status: int) -> None:
    (found,) = broken(row(), [*GOOD, answer(3.0, status)])
    assert found == "an event: 1 failed, 0 of them on cut connections"
    cut = row(cut=3.0, noticed=5.0)
    assert broken(cut, [*GOOD, answer(3.5, status, came=7.0), answer(2.9, status, came=6.0)]) == []
    # Before the cut, after the balancer has noticed it, and more of them than clients.
    assert broken(cut, [*GOOD, answer(2.0, status, came=2.5)])
    assert broken(cut, [*GOOD, answer(5.1, status, came=7.0)])
    assert broken(cut, [*GOOD, *[answer(4.0, status, came=7.0)] * 3])


@pytest.mark.parametrize("status", [400, 500, 503])
def test_an_error_of_a_server_is_no_cut_connection(status: int) -> None:
    assert broken(row(cut=3.0, noticed=5.0), [*GOOD, answer(4.0, status, came=7.0)])


def test_the_state_must_be_one_in_time_where_that_is_promised() -> None:
    (found,) = broken(row(seconds_until_one_state=2.1), GOOD)
    assert found == "an event: one state after 2.1 s"
    assert broken(row(seconds_until_one_state=2.1, promised=False), GOOD) == []


def test_the_releases_must_answer_the_same() -> None:
    (found,) = broken(row(side_by_side={"asked": 144, "equal": 143}), GOOD)
    assert found == "an event: 143 of 144 answers are equal"


@pytest.mark.parametrize("stored", [["p1"], ["p1", "p2", "p2"], []])
def test_no_exposure_may_be_lost_or_recorded_twice(stored: list[str]) -> None:
    assert broken(row(), GOOD, {"first": stored})


def test_an_exposure_without_an_answer_needs_a_request_on_a_cut_connection() -> None:
    more = {"first": ["p1", "p2", "p3"]}
    (found,) = broken(row(), GOOD, more)
    assert found == "1 exposures without an answer, 0 requests on cut connections"
    assert broken(row(cut=3.0, noticed=5.0), [*GOOD, answer(4.0, 0, came=7.0)], more) == []
