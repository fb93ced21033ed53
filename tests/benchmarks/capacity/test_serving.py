from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import servers
from benchmarks.capacity import serving
from benchmarks.load import LoadError, message

pytestmark = pytest.mark.serial  # starts servers


def works(*, users: bool) -> dict[str, serving.Work]:
    return {work.body: work for work in serving.works(users=users, grpc=False)}


def test_bodies_that_name_no_user_are_not_measured_in_an_experiment() -> None:
    alone, during = works(users=False), works(users=True)
    assert alone.keys() - during.keys() == serving.WITHOUT_USER
    for body, work in during.items():
        assert all(b"user0" in message for message in work.messages[:2]), body
        assert not any(b"v3.0" in message for message in work.messages), body
    assert {work.items for work in alone.values()} == {1, 100, 1000}


def test_every_request_of_an_experiment_is_stored_before_the_keeper_is_read() -> None:
    with servers.server() as running:
        for number, state in enumerate((serving.NONE, serving.SPLIT)):
            chosen = works(users=state == serving.SPLIT)
            with serving.counting(running, number, state) as counted:
                for body in ("features", "100 x features", "V2 JSON", "V2 binary"):
                    found = serving.figures(counted, chosen[body], running.port, 0.1)
                    assert found["worker_us"] > 0
                    assert found["keeper_us"] >= 0
                    assert ("alone_us" in found) == (chosen[body].items == 1)
        with serving.counting(running, 9, serving.SPLIT) as counted, pytest.raises(LoadError, match="are stored"):
            # Twice as many exposures as the request says.
            counted.cost(replace(chosen["100 x features"], items=50), running.port, 1, 0.1)


def test_an_error_answer_is_no_figure() -> None:
    with servers.server() as running, serving.counting(running, 0, serving.NONE) as counted:
        right = works(users=False)["features"]
        wrong = replace(right, messages=[right.messages[0], message("/reversal/predict", b"{}")])
        with pytest.raises(LoadError, match=r"features: \d+ answers are errors"):
            counted.cost(wrong, running.port, 1, 0.1)


def test_a_batch_counts_as_a_request_and_as_its_predictions() -> None:
    work = works(users=False)["100 x features"]
    row = serving.row(work, serving.NONE, {"request_bytes": 5}, {"worker_us": 10_000.0, "keeper_us": 7.0})
    assert (row["per_core"], row["items_per_core"]) == (100.0, 10_000.0)
    assert "keeper_us" not in row
    assert serving.row(work, serving.SPLIT, {}, {"worker_us": 10_000.0, "keeper_us": 7.0})["keeper_us"] == 7.0
