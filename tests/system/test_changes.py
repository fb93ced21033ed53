"""A change applies to every worker before the call returns, under load, and when workers are killed or stalled."""

from __future__ import annotations

import os
import random
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.market import ROOT
from tests.processes import Server, get, post, serving, stopped
from tests.system.checks import events
from tests.system.load import Answer, Load, change, create, print_figures, question, start_experiment
from tests.waiting import wait_until

WORKERS = 4


class Period(NamedTuple):
    """A state of the server: the active experiment, and the active version, which answers without an experiment.

    begun: when the call that caused the state was sent. ended: when the call that ended the state returned.
    """

    experiment: str | None
    active: str
    begun: float
    ended: float


class Timeline:
    """The states that the management calls caused, in order."""

    def __init__(self, server: Server, active: str) -> None:
        self.periods = [Period(None, active, time.monotonic(), float("inf"))]
        self._url = server.url

    def change(self, path: str, *, experiment: str | None, active: str) -> None:
        sent = time.monotonic()
        change(self._url, path)
        self.periods[-1] = self.periods[-1]._replace(ended=time.monotonic())
        self.periods.append(Period(experiment, active, sent, float("inf")))

    def activate(self, experiment: str) -> None:
        self.change(f"experiments/{experiment}/activate", experiment=experiment, active=self.periods[-1].active)

    def stop(self) -> None:
        running = self.periods[-1].experiment
        self.change(f"experiments/{running}/stop", experiment=None, active=self.periods[-1].active)

    def switch(self, version: str) -> None:
        self.change(f"models/{version}/switch", experiment=self.periods[-1].experiment, active=version)

    def fits(self, answer: Answer) -> bool:
        """Whether one of the states that were possible between the request and its answer explains the answer."""
        return any(
            period.experiment == answer.experiment
            and (period.experiment is not None or period.active == answer.data["model_version"])
            for period in self.periods
            if period.begun <= answer.came and answer.sent <= period.ended
        )


@pytest.mark.parametrize("changes", [40, pytest.param(100, marks=pytest.mark.long)])
def test_no_answer_under_load_uses_a_state_that_has_ended(models: Path, tmp_path: Path, changes: int) -> None:
    seed = secrets.randbits(32)
    print_figures(f"seed {seed}")
    chance = random.Random(seed)  # noqa: S311 - random times, not secrets
    with serving("--models", str(models), state=tmp_path, REVERSAL_WORKERS=str(WORKERS)) as server:
        names = [f"change-{number}" for number in range(changes)]
        for name in names:
            create(server.url, name)
        timeline = Timeline(server, "v1")
        load = Load(server.url, clients=8)
        with load.running():
            load.wait_for(50)
            for number, name in enumerate(names):
                if number % 33 == 20:  # its replacement starts during the next changes
                    os.kill(chance.choice(server.workers), signal.SIGKILL)
                timeline.activate(name)
                time.sleep(chance.uniform(0, 0.03))
                if number % 2:
                    timeline.stop()
                    time.sleep(chance.uniform(0, 0.03))
                if number % 10 == 0:
                    timeline.switch("v2" if timeline.periods[-1].active == "v1" else "v1")
            wait_until(lambda: len(server.workers) == WORKERS)
            load.wait_for(100)
        workers = server.workers
        log = server.stop()
    assert not load.refused
    assert "Traceback" not in log
    answers = [answer for answer in load.answers if answer.status]
    under = {answer.experiment for answer in answers} - {None}
    print_figures(f"{len(answers)} answers under {len(under)} experiments, {len(load.lost)} lost with killed workers")
    assert len(under) > changes / 2
    wrong = [answer for answer in answers if not timeline.fits(answer)]
    assert not wrong
    assert len(workers) == WORKERS


def test_a_worker_that_starts_between_changes_serves_the_current_state(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), state=tmp_path, REVERSAL_WORKERS="1") as server:
        change(server.url, "models/v2/switch")
        start_experiment(server.url, "before")
        (killed,) = server.workers
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: len(server.workers) == 1 and killed not in server.workers)
        # There is one worker, so the new one sends every answer.
        for number in range(20):
            body = question(0, number)
            status, answer = post(f"{server.url}/reversal/predict", body)
            assert status == 200
            assert answer["data"]["experiment"]["experiment_id"] == "before"
            status, answer = post(f"{server.url}/reversal/predict", body | {"user_id": None})
            assert answer["data"]["model_version"] == "v2"


SHORT_TIMEOUT = "from server.keeper.fleet import members\nmembers.CONFIRM_SECONDS = 2.0\n"


@pytest.mark.parametrize(
    ("seconds", "code"), [(2, SHORT_TIMEOUT), pytest.param(10, "", marks=pytest.mark.long)], ids=["2 s", "10 s"]
)
def test_if_a_worker_does_not_confirm_the_call_gets_503_and_nothing_is_changed(
    models: Path, tmp_path: Path, seconds: int, code: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(code)
    arguments = ["--models", str(models), "--workers", "2"]
    with serving(*arguments, state=tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}") as server:
        create(server.url, "refused")
        load = Load(server.url, clients=2, pause=0.02)
        with load.running():
            load.wait_for(10)
            stalled = server.workers[0]
            with stopped(stalled):
                status, answer = post(f"{server.url}/reversal/experiments/refused/activate")
                assert (status, answer["code"]) == (503, "STORE_UNAVAILABLE")
                assert f"worker {stalled} did not confirm within {seconds} s" in answer["error"]
                wait_until(lambda: bool(events(server.log, "request_refused")))  # a thread writes the log
                (line,) = events(server.log, "request_refused")
                assert '/{id}/activate" code=STORE_UNAVAILABLE path= count=1 ' in line
                assert f'error="{answer["error"]}"' in line
                shown = get(f"{server.url}/reversal/experiments")[1]["data"]["experiments"]
                assert [experiment["status"] for experiment in shown] == ["draft"]
            load.wait_for(50)
        assert not load.refused
        assert not load.lost
        assert {answer.experiment for answer in load.answers} == {None}
        with load_after(server) as after:
            change(server.url, "experiments/refused/activate")
            moment = time.monotonic()
            after.wait_for(100)
        assert {answer.experiment for answer in after.since(moment)} == {"refused"}


@contextmanager
def load_after(server: Server) -> Iterator[Load]:
    """Further clients, on new connections."""
    with Load(server.url).running() as load:
        yield load
