from __future__ import annotations

from typing import Any

import pytest

from server.api.schemas.planning import ADVICE
from tests.server.keeper.calls import Answer, Call

URL = "/reversal/experiments/plan"
SPLIT: dict[str, Any] = {"mode": "split", "baseline": 0.5, "effect": 0.06, "users": 200, "predictions_per_day": 4800}
SHADOW: dict[str, Any] = {"mode": "shadow", "baseline": 0.5, "effect": 0.06, "predictions_per_day": 24}
PNL = {"metric": "mean_pnl", "baseline": 1.5, "sd_pips": 30, "effect": 3}


def needed(answer: Answer) -> dict[float, tuple[int | None, float | None]]:
    return {each["chance"]: (each["candles"], each["days"]) for each in answer.data["reachable"]}


def codes(answer: Answer) -> list[str]:
    return [each["code"] for each in answer.data["advice"]]


async def test_a_plan_has_candles_and_days_for_three_chances_and_stores_nothing(call: Call) -> None:
    answer = await call("POST", URL, {**SPLIT, "days": 60})
    assert answer.status == 200
    data = answer.data
    assert (data["mode"], data["metric"], data["baseline"], data["effect"]) == ("split", "win_rate", 0.5, 0.06)
    found = needed(answer)
    assert list(found) == [0.5, 0.8, 0.95]
    for candles, days in found.values():
        assert candles is not None
        assert days == pytest.approx(candles / 24, rel=0.01)
    assert data["users"] == {"A": 100, "B": 100}
    assert data["minimum"]["candles_of_each_variant"] == 300
    assert data["minimum"]["users_of_each_variant"] == 30
    assert data["minimum"]["candles"] > 600  # each side trades at half of the times
    after = data["after_days"]
    assert (after["days"], after["candles"]) == (60, 1440)
    assert 0.5 < after["chance"] < 0.8
    assert data["advice"] == []
    assert (await call("GET", "/reversal/experiments")).data == {"experiments": []}


async def test_the_chance_after_the_planned_days_is_the_planned_chance(call: Call) -> None:
    for chance, (_, days) in needed(await call("POST", URL, SHADOW)).items():
        after = (await call("POST", URL, {**SHADOW, "days": days})).data["after_days"]
        assert after["chance"] == pytest.approx(chance, abs=0.015)
    assert (await call("POST", URL, {**SHADOW, "days": 1})).data["after_days"]["chance"] == 0
    assert (await call("POST", URL, SHADOW)).data["after_days"] is None


async def test_the_defaults_are_those_of_the_document(call: Call) -> None:
    given = {"metric": "win_rate", "timeframe": "1h", "pairs": 1, "trade_share": 0.5, "correlation": 0.5, "overlap": 1}
    for plan, more in ((SPLIT, {"traffic_split": 0.5, "user_sd": 0}), (SHADOW, {"disagreement": 0.3})):
        plain = (await call("POST", URL, plan)).data
        assert (await call("POST", URL, {**plan, **given, **more})).data == plain
        nothing = dict.fromkeys((*given, *more))
        assert (await call("POST", URL, {**plan, **nothing})).data == plain
    assert (await call("POST", URL, {**SPLIT, "hold_rate": 0.5})).data == (await call("POST", URL, SPLIT)).data


@pytest.mark.parametrize(
    "changes",
    [
        {"effect": 0.04},
        {"overlap": 4},
        {"trade_share": 0.2},
        {"hold_rate": 0.8},
        {"predictions_per_day": 48},
        {"correlation": 0.9},
        {"user_sd": 0.05},
        {"timeframe": "4h", "predictions_per_day": 1200},
    ],
)
async def test_what_makes_an_experiment_longer(call: Call, changes: dict[str, object]) -> None:
    plain, longer = needed(await call("POST", URL, SPLIT)), needed(await call("POST", URL, {**SPLIT, **changes}))
    assert (longer[0.8][1] or 0) > 1.1 * (plain[0.8][1] or 0)


async def test_more_pairs_and_a_smaller_deviation_make_it_shorter(call: Call) -> None:
    several = await call("POST", URL, {**SHADOW, "pairs": 4, "predictions_per_day": 96})
    assert (needed(several)[0.95][0] or 0) < 0.7 * (needed(await call("POST", URL, SHADOW))[0.95][0] or 0)
    pips = [needed(await call("POST", URL, {**SPLIT, **PNL, "sd_pips": sd}))[0.95][0] or 0 for sd in (30, 60)]
    assert pips[1] > 3 * pips[0]


async def test_a_quarter_of_the_predictions_takes_four_times_as_long(call: Call) -> None:
    found = [needed(await call("POST", URL, {**SHADOW, "predictions_per_day": each})) for each in (24, 6)]
    assert found[1][0.8][1] == pytest.approx(4 * (found[0][0.8][1] or 0), rel=0.05)


async def test_too_few_users_in_split_mode_get_no_verdict_and_advice(call: Call) -> None:
    answer = await call("POST", URL, {**SPLIT, "users": 40, "traffic_split": 0.3, "days": 1000})
    assert answer.data["users"] == {"A": 12, "B": 28}
    assert needed(answer) == {0.5: (None, None), 0.8: (None, None), 0.95: (None, None)}
    assert answer.data["after_days"]["chance"] == 0
    assert answer.data["minimum"]["candles"] is None
    assert codes(answer) == ["FEW_USERS"]
    crossover = await call("POST", URL, {**SPLIT, "users": 40, "traffic_split": 0.3, "mode": "crossover"})
    assert codes(crossover) == []
    assert crossover.data["users"] is None
    assert needed(crossover)[0.95][0] is not None


async def test_users_that_differ_more_than_the_effect_get_advice(call: Call) -> None:
    answer = await call("POST", URL, {**SPLIT, "users": 80, "user_sd": 0.08})
    assert needed(answer)[0.95] == (None, None)
    assert needed(answer)[0.5][0] is not None
    assert codes(answer) == ["USERS_DIFFER"]


async def test_small_effects_get_advice(call: Call) -> None:
    assert codes(await call("POST", URL, {**SPLIT, "effect": 0.02})) == ["MINIMUM_EFFECT"]
    assert codes(await call("POST", URL, {**SPLIT, **PNL, "effect": -0.5})) == ["MINIMUM_EFFECT"]
    assert codes(await call("POST", URL, {**SPLIT, "effect": 1e-6})) == ["TOO_SMALL", "MINIMUM_EFFECT"]
    assert set(ADVICE) == {"FEW_USERS", "USERS_DIFFER", "TOO_SMALL", "MINIMUM_EFFECT"}


@pytest.mark.parametrize(
    ("plan", "changes", "path"),
    [
        (SPLIT, {"mode": "mirror"}, "mode"),
        (SPLIT, {"mode": None}, "mode"),
        (SPLIT, {"metric": "sharpe"}, "metric"),
        (SPLIT, {"baseline": 0}, "baseline"),
        (SPLIT, {"baseline": 50}, "baseline"),
        (SPLIT, {"baseline": "0.5"}, "baseline"),
        (SPLIT, {"effect": 0}, "effect"),
        (SPLIT, {"effect": 0.5}, "effect"),
        (SPLIT, {"effect": -0.5}, "effect"),
        (SPLIT, {"effect": 6}, "effect"),
        (SPLIT, {"sd_pips": 30}, "sd_pips"),
        (SPLIT, {"metric": "mean_pnl"}, "sd_pips"),
        (SPLIT, {**PNL, "sd_pips": 0}, "sd_pips"),
        (SPLIT, {**PNL, "effect": 0}, "effect"),
        (SPLIT, {"timeframe": "2h"}, "timeframe"),
        (SPLIT, {"pairs": 0}, "pairs"),
        (SPLIT, {"pairs": 1.5}, "pairs"),
        (SPLIT, {"predictions_per_day": 0}, "predictions_per_day"),
        (SPLIT, {"trade_share": 0}, "trade_share"),
        (SPLIT, {"trade_share": 50}, "trade_share"),
        (SPLIT, {"hold_rate": 1}, "hold_rate"),
        (SPLIT, {"hold_rate": 0.5, "trade_share": 0.5}, "hold_rate"),
        (SPLIT, {"users": None}, "users"),
        (SPLIT, {"users": 0}, "users"),
        (SPLIT, {"mode": "crossover", "users": None}, "users"),
        (SPLIT, {"traffic_split": 0}, "traffic_split"),
        (SPLIT, {"traffic_split": 1}, "traffic_split"),
        (SPLIT, {"user_sd": 5}, "user_sd"),
        (SPLIT, {"user_sd": -1}, "user_sd"),
        (SPLIT, {"disagreement": 0.3}, "disagreement"),
        (SPLIT, {"correlation": 1.5}, "correlation"),
        (SPLIT, {"overlap": 0.5}, "overlap"),
        (SPLIT, {"days": 0}, "days"),
        (SPLIT, {"effekt": 0.1}, "effekt"),
        (SHADOW, {"users": 20}, "users"),
        (SHADOW, {"traffic_split": 0.5}, "traffic_split"),
        (SHADOW, {"user_sd": 0.05}, "user_sd"),
        (SHADOW, {"disagreement": 0}, "disagreement"),
        (SHADOW, {"trade_share": 0.1, "disagreement": 0.21}, "disagreement"),
        (SHADOW, {"disagreement": 0.02}, "effect"),
    ],
)
async def test_a_bad_field_is_a_422_with_its_path(
    call: Call, plan: dict[str, object], changes: dict[str, object], path: str
) -> None:
    answer = await call("POST", URL, {**plan, **changes})
    assert (answer.status, [detail["path"] for detail in answer.details]) == (422, [path])


async def test_an_experiment_can_have_the_name_of_the_plan(call: Call) -> None:
    made = {"experiment_id": "plan", "name": "n", "variant_a": "v1", "variant_b": "v2", "traffic_split": 0.5}
    assert (await call("POST", "/reversal/experiments", made)).status == 201
    assert (await call("GET", "/reversal/experiments/plan")).data["name"] == "n"
    assert (await call("POST", "/reversal/experiments/plan/activate")).status == 200
