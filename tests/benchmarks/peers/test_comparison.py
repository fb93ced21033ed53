import math
from typing import Any

import pytest

from benchmarks.peers.comparison import Cell, check_alike, hardest, row
from benchmarks.peers.peer import PeerError

ANSWER = {"signal": "long", "confidence": 0.75, "stage1_prob": 0.82, "stage2_prob": 0.68}


def figures(per_second: float, p99: float = 1.0) -> dict[str, float]:
    return {"per_second": per_second, "p50": 0.5, "p99": p99}


def cell(setting: str = "alone", workers: int = 1, connections: int = 32) -> Cell:
    return Cell("fast", setting, workers, connections)


def test_answers_within_the_tolerance_are_the_same() -> None:
    check_alike([ANSWER], [ANSWER | {"stage1_prob": 0.82009, "pair": "EUR/USD"}])


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({"signal": "short"}, "body 1: .*signal.*short.*long"),
        ({"stage2_prob": 0.6802}, r"body 1: .*stage2_prob.*0\.6802.*0\.68$"),
        ({"confidence": math.nan}, r"body 1: .*confidence.*nan.*0\.75"),
    ],
)
def test_a_peer_with_a_different_answer_is_not_compared(different: dict[str, Any], reason: str) -> None:
    with pytest.raises(PeerError, match=reason):
        check_alike([ANSWER, ANSWER], [ANSWER, ANSWER | different])


def test_a_peer_with_fewer_answers_is_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        check_alike([ANSWER, ANSWER], [ANSWER])


def test_ratios_are_of_the_same_round_and_their_median_counts() -> None:
    rounds = [
        {"none": figures(100.0, 2.0), "peer": figures(50.0, 4.0)},
        {"none": figures(900.0, 1.0), "peer": figures(300.0, 4.0)},
        {"none": figures(10.0, 8.0), "peer": figures(1.0, 8.0)},
    ]

    made = row(cell(), rounds)

    assert made["ratios"]["none"]["throughput"] == {"median": 3.0, "least": 2.0, "greatest": 10.0}
    assert made["ratios"]["none"]["p99"] == {"median": 0.5, "least": 0.25, "greatest": 1.0}
    assert made["figures"]["peer"]["per_second"] == 50.0
    assert (made["peer"], made["setting"], made["workers"], made["connections"]) == ("fast", "alone", 1, 32)


def test_the_fastest_setting_of_a_peer_counts() -> None:
    rows = [
        row(cell("slow"), [{"none": figures(100.0), "peer": figures(10.0)}]),
        row(cell("good"), [{"none": figures(90.0), "peer": figures(30.0)}]),
        row(cell("slow", connections=1), [{"none": figures(90.0), "peer": figures(45.0)}]),
        row(cell("good", workers=2), [{"none": figures(80.0), "peer": figures(40.0)}]),
    ]

    found = hardest(rows, cores=2)

    assert found["fast"]["one"]["32"]["setting"] == "good"
    assert found["fast"]["one"]["32"]["none"]["throughput"] == 3.0
    assert found["fast"]["one"]["1"]["setting"] == "slow"
    assert found["fast"]["cores"]["32"]["none"]["throughput"] == 2.0
