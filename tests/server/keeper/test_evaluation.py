from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from core.experiments.experiment import Experiment, ImportedCounts
from core.features.candle_keys import candle_key_of_window
from core.log_event import LogEvent
from server.keeper.store_access import StoreAccess
from server.protocol.messages import CALLER_HEADER, MANAGES_HEADER
from server.settings import Settings
from tests import bundles
from tests.server.client import Client
from tests.server.keeper.calls import EXPERIMENT, Call, Write
from tests.server.keeper.records import exposure

pytestmark = pytest.mark.usefixtures("running")

URL = "/reversal/experiments/exp/evaluate"
# Prices that fall to the third bar and then rise, in units of 10 pips.
CLOSES = [2, 1, 0, 1, 2, 3, 2]
RULE = {"horizon": 2, "min_profit_pips": 6, "max_loss_pips": 5, "min_ratio": 1.5}
NO_PIPS = {"min_profit_pips": None, "max_loss_pips": None}


def candles(closes: list[int], *, stamp: bool = True, first: int = 0) -> list[dict[str, Any]]:
    def candle(hour: int, tens: int) -> dict[str, Any]:
        close = round(1.1 + tens * 0.001, 5)
        made = {"open": close, "high": round(close + 1e-4, 5), "low": round(close - 1e-4, 5), "close": close}
        return made | ({"timestamp": f"1970-01-01T{hour:02}:00:00Z"} if stamp else {})

    return [candle(first + i, tens) for i, tens in enumerate(closes)]


def asks(**changes: object) -> dict[str, object]:
    return {"pair": "EUR/USD", "timeframe": "1h", "data": candles(CLOSES), **RULE, **changes}


async def test_every_recorded_prediction_on_the_candles_is_labelled(
    call: Call,
    write: Write,
) -> None:
    await write(exposure("p0"), exposure("p2", 2), exposure("p2b", 2, variant="B", version="v2"), exposure("p4", 4))
    await write(exposure("w", candle=candle_key_of_window(b"")), exposure("x", 2, pair="EUR/GBP"))
    first = await call("POST", URL, asks())
    counts = {"candles": 7, "labelled": 2, "changed": 0, "unchanged": 0, "too_close": 1, "dropped": 0}
    assert first.data == {**counts, "label_rule": RULE}
    backwards = list(reversed(candles(CLOSES)))
    again = await call("POST", URL, asks(data=backwards, timeframe=None))
    assert again.data == {**counts, "labelled": 0, "unchanged": 2, "label_rule": RULE}


async def test_candles_without_predictions_get_a_warning(call: Call, write: Write) -> None:
    await write(exposure("p2", 2))
    (warning,) = (await call("POST", URL, asks(pair="EUR/GBP"))).data["warnings"]
    assert warning["code"] == "NO_PREDICTIONS"
    assert "warnings" not in (await call("POST", URL, asks())).data


@pytest.mark.parametrize(
    ("given", "changes", "needed"),
    [
        (0, {"horizon": 2}, 5),
        (4, {"horizon": 2}, 5),
        (20, {"horizon": None}, 21),
        (16, {**NO_PIPS, "horizon": 2, "min_profit_atr": 1, "max_loss_atr": 1}, 17),
    ],
)
async def test_too_few_candles_are_a_422_with_the_needed_number(
    call: Call, given: int, changes: dict[str, object], needed: int
) -> None:
    answer = await call("POST", URL, asks(data=candles([1] * given), **changes))
    assert (answer.status, answer.details[0]["path"]) == (422, "data")
    message = answer.details[0]["message"]
    assert all(words in message for words in (f"at least {needed} candles", f"has {given}")), message
    assert (await shown(call))["label_rules"] == []


DAYS = {"horizon": 10, "min_profit_pips": 30.0, "max_loss_pips": 50.0, "min_ratio": 1.5}


async def test_the_default_for_days_is_10_bars_30_and_50_pips(call: Call, write: Write) -> None:
    await write(exposure("p10", 240, timeframe="1d"))
    # After a fall, the price rises by 40 pips from day 10, which reaches 30 pips of profit without any loss.
    data = candles([*range(10, 0, -1), 0, *[1, 2, 3, 4, 4, 4, 4, 4, 4, 4]])
    for day, each in enumerate(data):
        each["timestamp"] = day * 86_400
    body = {"pair": "EUR/USD", "timeframe": "1d", "data": data}
    by_default = await call("POST", URL, body)
    assert (by_default.data["labelled"], by_default.data["label_rule"]) == (1, DAYS)
    assert (await call("POST", URL, body | DAYS)).data["unchanged"] == 1
    assert (await call("POST", URL, body | {"horizon": None, "min_profit_pips": 42})).status == 409


async def shown(call: Call, name: str = "exp") -> dict[str, Any]:
    """The experiment as list and report show it."""
    listed = (await call("GET", "/reversal/experiments")).data["experiments"]
    (found,) = (each for each in listed if each["experiment_id"] == name)
    assert (await call("GET", f"/reversal/experiments/{name}/report")).data.items() >= found.items()
    experiment: dict[str, Any] = found
    return experiment


def without_rule(**changes: object) -> dict[str, object]:
    return asks(**(dict.fromkeys(RULE) | changes))


def trained(models: Path, **labels: object) -> None:
    """Give versions the label rules of training."""
    for version, label in labels.items():
        bundles.write(models, version, label_rule=label)


FRESH = "/reversal/experiments/fresh/evaluate"


async def fresh(call: Call, models: Path, **labels: object) -> None:
    """Create the draft `fresh`, whose versions have the label rules of training."""
    trained(models, **labels)
    assert (await call("POST", "/reversal/experiments", {**EXPERIMENT, "experiment_id": "fresh"})).status == 201


IN_ATR = {"horizon": 2, "min_profit_atr": 1.5, "max_loss_atr": 2.0, "min_ratio": 1.5}
LABEL = {"rule": "profitable_reversals", **RULE}


@pytest.mark.parametrize("rule", [RULE, IN_ATR])
async def test_the_default_is_the_rule_that_both_versions_were_trained_with(
    call: Call, write: Write, models: Path, rule: dict[str, float]
) -> None:
    await fresh(call, models, v1={"rule": "profitable_reversals", **rule}, v2={**rule, "daily_share": 0.2})
    await write(exposure("p2", 2, experiment_id="fresh"))
    answer = await call("POST", FRESH, without_rule(data=candles(CLOSES * 3)))
    assert answer.data["label_rule"] == rule
    assert (await shown(call, "fresh"))["label_rule"] == rule


async def test_a_bundle_of_format_1_has_its_rule_in_the_metadata(call: Call, write: Write, models: Path) -> None:
    await fresh(call, models, v2=LABEL)
    bundles.write(models, "v1", metadata={"stage1": {"label": LABEL}}, format_version=1)
    await write(exposure("p2", 2, experiment_id="fresh"))
    assert (await call("POST", FRESH, without_rule(data=candles(CLOSES * 3)))).data["label_rule"] == RULE


@pytest.mark.parametrize(
    ("v1", "v2", "words"),
    [
        (None, None, ("v1", "v2", "1h")),
        (LABEL, {**LABEL, "horizon": 3}, ("v1", "horizon 2", "v2", "horizon 3")),
        (LABEL, {"rule": "swing_points"}, ("v1", "horizon 2", "v2", "swing_points")),
        (LABEL, None, ("v1", "v2")),
        ({**LABEL, "timeframe": "1d"}, {**LABEL, "timeframe": "1d"}, ("v1", "v2", "1d")),
    ],
)
async def test_without_a_common_rule_of_the_versions_a_call_without_a_rule_is_a_422(
    call: Call, models: Path, v1: object, v2: object, words: tuple[str, ...]
) -> None:
    await fresh(call, models, v1=v1, v2=v2)
    for changes in ({}, {"horizon": 2}, {"min_profit_pips": 6}):
        answer = await call("POST", FRESH, without_rule() | changes)
        assert (answer.status, answer.details[0]["path"]) == (422, "min_profit_pips")
        assert all(word in answer.details[0]["message"] for word in (*words, "max_loss_pips", "min_profit_atr"))
    assert (await shown(call, "fresh"))["label_rules"] == []
    assert (await call("POST", FRESH, asks())).status == 200


@pytest.mark.parametrize("fault", ["gone", "malformed"])
async def test_a_version_that_cannot_be_read_has_no_default(call: Call, models: Path, fault: str) -> None:
    await fresh(call, models, v1=LABEL, v2=LABEL)
    manifest = models / "v2" / "manifest.json"
    manifest.unlink() if fault == "gone" else manifest.write_text("{}")
    answer = await call("POST", FRESH, without_rule())
    assert (answer.status, answer.details[0]["path"]) == (422, "min_profit_pips")
    assert "v2" in answer.details[0]["message"]
    assert (await call("POST", FRESH, asks())).status == 200


async def test_the_metadata_of_a_bundle_that_was_replaced_since_the_activation_do_not_count(
    call: Call, models: Path
) -> None:
    trained(models, v1=LABEL, v2=LABEL)
    await call("POST", "/reversal/experiments", {**EXPERIMENT, "experiment_id": "next"})
    await call("POST", "/reversal/experiments/next/activate")
    await call("POST", "/reversal/experiments/next/stop")
    other = {**LABEL, "horizon": 3}
    trained(models, v1=other, v2=other)
    answer = await call("POST", "/reversal/experiments/next/evaluate", without_rule())
    assert (answer.status, answer.details[0]["path"]) == (422, "min_profit_pips")
    trained(models, v1=LABEL, v2=LABEL)
    assert (await call("POST", "/reversal/experiments/next/evaluate", without_rule())).data["label_rule"] == RULE


async def test_an_imported_experiment_of_one_version_against_itself_is_evaluated(
    call: Call, store: StoreAccess, write: Write, models: Path
) -> None:
    trained(models, v1=LABEL)
    counts = ImportedCounts(3, {"long": 1, "short": 0, "hold": 2}, 2.25)
    old = Experiment(
        experiment_id="old", name="old", variant_a="v1", variant_b="v1", traffic_split=0.5, created_at=1,
        status="stopped", imported={"A": counts},
    )  # fmt: skip
    await store.write(lambda store: store.create(old))
    await write(exposure("p2", 2, experiment_id="old"))
    answer = await call("POST", "/reversal/experiments/old/evaluate", without_rule())
    assert (answer.data["labelled"], answer.data["label_rule"]) == (1, RULE)


async def test_a_rule_is_chosen_once(call: Call, write: Write, models: Path) -> None:
    await write(exposure("p2", 2), exposure("p4", 4))
    trained(models, v1=LABEL, v2={**LABEL, "horizon": 1})
    assert (await call("POST", URL, asks())).data["labelled"] == 2
    for body in (without_rule(), asks(), without_rule(min_profit_pips=6), without_rule(replace=True)):
        assert (await call("POST", URL, body)).data["unchanged"] == 2
    for changes in ({"min_profit_pips": 7}, {**dict.fromkeys(RULE), "min_profit_atr": 1, "max_loss_atr": 1}):
        answer = await call("POST", URL, asks(data=candles(CLOSES * 3), **changes))
        assert (answer.status, answer.code) == (409, "CONFLICT")
        assert answer.error is not None
        named = ("min_profit_pips 6,", *(f"{name} {value}" for name, value in changes.items() if value))
        assert all(each in answer.error for each in named), answer.error
    found = await shown(call)
    assert (found["label_rule"], [each["rule"] for each in found["label_rules"]]) == (RULE, [RULE])


async def replace(client: Client, headers: dict[str, str], **changes: object) -> tuple[int, Any]:
    response = await client.post(URL, json=asks(replace=True, **changes), headers=headers)
    return response.status, (await response.json())["data"]


async def test_an_admin_token_replaces_the_rule_and_drops_all_labels(
    client: Client, call: Call, write: Write, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "server.keeper")
    await write(exposure("p2", 2), exposure("p4", 4), exposure("x2", 2, pair="EUR/GBP"))
    for pair in ("EUR/USD", "EUR/GBP"):
        assert (await call("POST", URL, asks(pair=pair))).status == 200
    status, _ = await replace(client, {CALLER_HEADER: "backend"}, min_profit_pips=7)
    assert status == 403
    assert (await shown(call))["label_rule"] == RULE
    headers = {CALLER_HEADER: "ops", MANAGES_HEADER: "yes"}
    status, data = await replace(client, headers, min_profit_pips=500)
    counts = {"candles": 7, "labelled": 2, "changed": 0, "unchanged": 0, "too_close": 0, "dropped": 3}
    strict = {**RULE, "min_profit_pips": 500}
    assert (status, data) == (200, {**counts, "label_rule": strict})
    found = await shown(call)
    assert found["label_rule"] == strict
    history = [(each["rule"], each["timeframe"], each["chosen_by"]) for each in found["label_rules"]]
    assert history == [(RULE, "1h", None), (strict, "1h", "ops")]
    assert all(each["chosen_at"].endswith("Z") for each in found["label_rules"])
    refused, done = (json.loads(line) for line in settings.audit.read_text().splitlines()[-2:])
    assert refused["answer"]["code"] == "FORBIDDEN"
    assert done["answer"] == data
    events = [record.msg for record in caplog.records if isinstance(record.msg, LogEvent)]
    assert [event.fields["dropped"] for event in events if event.name == "label_rule_chosen"] == [0, 3]


async def test_only_a_call_that_may_replace_the_rule_is_in_the_audit_log(call: Call, settings: Settings) -> None:
    before = settings.audit.read_text().count("\n")
    assert (await call("POST", URL, asks())).status == 200
    assert settings.audit.read_text().count("\n") == before


async def test_candles_without_predictions_choose_no_rule(call: Call, write: Write) -> None:
    await write(exposure("p2", 2))
    assert (await call("POST", URL, asks(pair="EUR/GBP", min_profit_pips=7))).data["labelled"] == 0
    assert (await shown(call))["label_rule"] is None
    assert (await call("POST", URL, asks())).data["labelled"] == 1
    assert (await call("POST", URL, asks(pair="EUR/GBP", min_profit_pips=7))).status == 409


async def test_of_calls_at_once_with_different_rules_one_chooses(call: Call, write: Write) -> None:
    await write(exposure("p2", 2))
    found = await asyncio.gather(*(call("POST", URL, asks(min_profit_pips=6 + n)) for n in range(4)))
    assert sorted(answer.status for answer in found) == [200, 409, 409, 409]
    (good,) = (answer.data["label_rule"] for answer in found if answer.status == 200)
    assert [each["rule"] for each in (await shown(call))["label_rules"]] == [good]


async def test_a_rule_survives_the_stop_and_labels_after_it(call: Call, write: Write) -> None:
    await write(exposure("p2", 2), exposure("p4", 4))
    await call("POST", URL, asks())
    stopped = await call("POST", "/reversal/experiments/exp/stop")
    assert (stopped.data["status"], stopped.data["label_rule"]) == ("stopped", RULE)
    assert (await call("POST", URL, without_rule())).data["unchanged"] == 2
    assert (await call("POST", URL, asks(horizon=1))).status == 409


async def test_a_rule_in_pips_of_another_timeframe_gets_a_warning(call: Call, write: Write) -> None:
    await write(exposure("p2", 2, timeframe="4h"), exposure("p3", 2))
    await call("POST", URL, asks())
    four = candles(CLOSES)
    for each, number in zip(four, range(7), strict=True):
        each["timestamp"] = (number * 4 - 6) * 3_600
    for body, codes in ((without_rule(), ["OTHER_TIMEFRAME"]), (asks(), [])):
        answer = await call("POST", URL, {**body, "data": four, "timeframe": "4h"})
        assert [warning["code"] for warning in answer.data.get("warnings", [])] == codes


async def test_a_rule_in_atr_labels_by_the_range_of_the_market(call: Call, write: Write) -> None:
    await write(*(exposure(f"p{n}", n) for n in range(21)))
    await call("POST", URL, asks(**NO_PIPS, min_profit_atr=0.5, max_loss_atr=1, data=candles(CLOSES * 3)))
    report = (await call("GET", "/reversal/experiments/exp/report")).data
    assert report["variants"]["A"]["labelled_candles"] == 5  # hours 14 to 18


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"data": candles(CLOSES, stamp=False)}, "data"),
        ({"data": []}, "data"),
        ({"data": None}, "data"),
        ({"data": candles(CLOSES) * 2}, "data[7].timestamp"),
        ({"data": [*candles([1]), *candles([1], stamp=False)]}, "data[1].timestamp"),
        ({"data": [{**candles([1])[0], "timestamp": "noon"}]}, "data[0].timestamp"),
        ({"data": [*candles([1]), {**candles([1], first=1)[0], "high": 1.0}]}, "data[1].high"),
        ({"data": [{**candles([1])[0], "close": None}]}, "data[0].close"),
        ({"pair": "EURUSD"}, "pair"),
        ({"timeframe": "7x"}, "timeframe"),
        ({"horizon": 0}, "horizon"),
        ({"horizon": 1.5}, "horizon"),
        ({"min_profit_pips": -1}, "min_profit_pips"),
        ({"max_loss_pips": "50"}, "max_loss_pips"),
        ({"min_ratio": -1}, "min_ratio"),
        ({"min_profit_atr": -1}, "min_profit_atr"),
        ({"min_profit_atr": 1}, "min_profit_atr"),
        ({"max_loss_atr": 1, "max_loss_pips": None}, "max_loss_atr"),
        ({"min_profit_pips": None, "max_loss_pips": None, "max_loss_atr": 1}, "min_profit_pips"),
        ({"replace": 1}, "replace"),
    ],
)
async def test_a_bad_field_is_a_422_with_its_path(
    call: Call,
    changes: dict[str, object],
    path: str,
) -> None:
    answer = await call("POST", URL, asks(**changes))
    assert (answer.status, answer.details[0]["path"]) == (422, path)


async def test_candles_are_matched_by_opening_time_if_closing_times_are_sent(call: Call, write: Write) -> None:
    await write(*(exposure(f"p{n}", n) for n in range(len(CLOSES))))
    data = candles(CLOSES, first=1)
    answer = await call("POST", URL, asks(data=data, timestamps="close"))
    assert (answer.data["labelled"], answer.data.get("warnings")) == (3, None)


async def test_odd_timestamps_get_warnings(call: Call, write: Write) -> None:
    await write(*(exposure(f"p{n}", n) for n in range(len(CLOSES))))
    data = candles(CLOSES)
    data[2]["timestamp"] = data[2]["timestamp"].removesuffix("Z")
    answer = await call("POST", URL, asks(data=data, timeframe="4h"))
    assert [warning["code"] for warning in answer.data["warnings"]] == ["MIXED_TIME_ZONES", "SPACING", "NO_PREDICTIONS"]
