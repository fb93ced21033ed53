"""The plan of an experiment: how long it takes until the verdict sees an effect."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from aiohttp import web

from core.experiments.assignment import BLOCK_CANDLES
from core.experiments.experiment import MINIMUM_EFFECT
from core.statistics import planning
from core.statistics.planning import Information, Outlook
from core.statistics.sequences import MINIMUM_TIMES, MINIMUM_UNITS
from server.http.app_keys import CLOCK
from server.http.bodies.body import read_json
from server.http.envelope import Json, success
from server.keeper import decoding
from server.keeper.decoding import Planned

# The chances for which a plan gives the number of candles.
CHANCES = (0.5, 0.8, 0.95)


async def plan_experiment(request: web.Request) -> web.Response:
    """POST /reversal/experiments/plan: how many candles and days it takes. Nothing is stored."""
    planned = decoding.plan(await read_json(request))
    found = await asyncio.to_thread(planning.outlook, planned.design)  # a tenth of a second of simulation
    return success(_shown(planned, found), request.app[CLOCK].now())


def _shown(planned: Planned, found: Outlook) -> Json:
    design = planned.design
    info = planning.information(design)
    is_split = design.mode == "split"
    after = None
    if planned.days is not None:
        candles = planned.days * planned.times_a_day
        chance = round(found.chance_after(candles), 2)
        after = {"days": planned.days, "candles": int(_rounded(candles)), "chance": chance}
    return {
        "mode": design.mode,
        "metric": planned.metric,
        "baseline": planned.baseline,
        "effect": design.effect,
        "reachable": [{"chance": chance, **_time(planned, found.candles_for(chance))} for chance in CHANCES],
        "after_days": after,
        "minimum": {
            **_time(planned, None if design.lacks_users else planning.minimum_candles(design, info)),
            "candles_of_each_variant": MINIMUM_TIMES,
            "users_of_each_variant": MINIMUM_UNITS if is_split else None,
        },
        "users": dict(zip("AB", map(_rounded, design.users_of_variants), strict=True)) if is_split else None,
        "advice": [{"code": code, "message": message} for code, message in _advice(planned, info, found)],
        "assumptions": list(_assumptions(planned, info)),
    }


def _time(planned: Planned, candles: float | None) -> Json:
    if candles is None:
        return {"candles": None, "days": None}
    return {"candles": int(_rounded(candles)), "days": _rounded(candles / planned.times_a_day)}


def _rounded(value: float) -> float:
    """Three digits, because the simulation is not more exact."""
    return float(f"{value:.3g}")


def _advice(planned: Planned, info: Information, found: Outlook) -> Iterator[tuple[str, str]]:
    """The codes of ADVICE that apply, each with its way out."""
    design = planned.design
    if design.lacks_users:
        a, b = map(_rounded, design.users_of_variants)
        few = f"A would have {a:g} users and B {b:g}, but a split needs {MINIMUM_UNITS} of each for a verdict"
        yield "FEW_USERS", f"{few}: use mode crossover or shadow, which do with fewer"
    elif found.candles_for(CHANCES[-1]) is None:
        if info.floor:
            hidden = f"users differ by user_sd {design.user_sd:g} and there are only {design.users:,} of them"
            way_out = "use mode crossover, which compares each user with itself, or shadow, or more users"
            yield "USERS_DIFFER", f"{hidden}, so that more candles do not help: {way_out}"
        else:
            yield "TOO_SMALL", "a billion candles do not suffice to find this effect: plan a larger one"
    default = MINIMUM_EFFECT[planned.metric]
    if abs(design.effect) <= default:
        can_be = f'the verdict can be "no difference larger than {default:g}", the default of minimum_effect'
        yield "MINIMUM_EFFECT", f"{can_be}: create the experiment with a minimum_effect below {abs(design.effect):g}"


def _assumptions(planned: Planned, info: Information) -> Iterator[str]:
    """What the numbers rest on."""
    design = planned.design
    a_day = (
        f"{planned.times_a_day:.3g} candle times a day have {design.predictions:.3g} predictions each on the average"
    )
    yield f"{a_day}; days without candles, such as weekends, do not count as days"
    yield f"{design.trade_share:.3g} of the predictions are trades, of either version, and every outcome is reported"
    if info.together > 1:
        at_once = f"{info.together:.3g} trades of one variant at one time, with a correlation of {design.correlation:g}"
        effective = info.together / (1 + (info.together - 1) * design.correlation)
        yield f"{at_once} between each two, count as {effective:.3g} independent ones"
    if design.overlap > 1:
        yield f"the results of {design.overlap:g} neighbouring candles count as one"
    else:
        yield "results of neighbouring candles are independent; if trades overlap or come in runs, send overlap"
    if design.mode == "shadow":
        differ = f"the signals differ on {design.disagreement:.3g} of the candles, and only those tell"
        yield f"{differ}; there one version trades and the other holds"
        yield "evaluate labels the candles, because trades of B alone have no reported outcome"
    else:
        yield "each user asks at random times, and all equally often"
        yield "trades of A and of B at the same time are independent; where both trade alike, it is faster"
    if design.mode == "crossover":
        yield f"a user's side changes by chance every {BLOCK_CANDLES} candles, so that differences between users cancel"
    elif design.mode == "split":
        yield f"the users' own results differ by a standard deviation of {design.user_sd:g}"
    yield "the report is read after every candle, and the first interval without zero counts"
