"""Shadow mode and guardrails, from a client's request to the report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from tests.processes import Server, get, serving
from tests.system.checks import events
from tests.system.load import Load, print_figures, question, start_experiment
from tests.waiting import wait_until

# question() makes 50 different windows in each of three pairs.
CANDLES = 150


def test_in_shadow_mode_variant_a_answers_all_requests_and_each_candle_makes_one_pair(models: Path) -> None:
    def with_and_without_user(client: int, number: int) -> dict[str, Any]:
        hour = {"candle_time": 1_760_000_400 + 3_600 * (number % 50)}
        return question(client, number) | hour | ({} if number % 2 else {"user_id": None})

    with serving("--models", str(models), REVERSAL_WORKERS="2") as server:
        start_experiment(server.url, "shadow", mode="shadow", traffic_split=None)
        load = Load(server.url, body=with_and_without_user)
        with load.running():
            load.wait_for(600)
        assert not load.refused
        assert not load.lost
        assert {answer.data["model_version"] for answer in load.answers} == {"v1"}
        assert {answer.data["experiment"]["variant"] for answer in load.answers} == {"A"}
        wait_until(lambda: report(server, "shadow")["pairs"]["candles"] == CANDLES)
        found = report(server, "shadow")
    assert found["variants"]["A"]["predictions"] == len(load.answers)
    assert found["variants"]["B"]["predictions"] == found["variants"]["B"]["unique_candles"] == CANDLES
    # v1 answers hold below 0.5, v2 below 0.6. Short or long depends on Stage 2, which is the same in both.
    a, b = Counter[str](), Counter[str]()
    for signal, row in found["pairs"]["table"].items():
        for other, count in row.items():
            a[signal] += count
            b[other] += count
    assert (a["hold"], b["hold"]) == (75, 90)
    assert found["pairs"]["table"]["hold"]["hold"] == 75
    assert found["pairs"]["agreement"]["estimate"] == 135 / CANDLES
    assert len(found["pairs"]["disagreements"]) == 15


def test_a_guardrail_stops_an_experiment_and_gives_the_reason(models: Path) -> None:
    with serving("--models", str(models), REVERSAL_WORKERS="2") as server:
        # No answer takes less than a microsecond.
        start_experiment(server.url, "guarded", guardrails={"max_p99_ms": 0.001})
        load = Load(server.url, clients=2, pause=0.005)
        with load.running():
            wait_until(lambda: shown(server)["status"] == "stopped")
            load.wait_for(50)
        assert not load.refused
        assert not load.lost
        assert load.answers[0].experiment == "guarded"
        assert load.answers[-1].experiment is None
        reason = shown(server)["stop_reason"]
        print_figures(reason)
        for part in ("max_p99_ms: 100.00% of ", "variant A (v1)", " 0.001 ms ", "limit 1.00%"):
            assert part in reason
        log = server.stop()
    (line,) = events(log, "guardrail_crossed")
    assert f' experiment=guarded reason="{reason}" ' in line


def report(server: Server, experiment_id: str) -> dict[str, Any]:
    status, answer = get(f"{server.url}/reversal/experiments/{experiment_id}/report?include=disagreements")
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


def shown(server: Server) -> dict[str, Any]:
    (experiment,) = get(f"{server.url}/reversal/experiments")[1]["data"]["experiments"]
    found: dict[str, Any] = experiment
    return found
