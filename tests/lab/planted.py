"""Leaks on purpose: the lab's way to make a detector, altered in one place each. Some have no leak and must pass.

`python -m tests.lab.planted` prints the table of docs/lab-leaks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from core.features.candles import Candles, Floats
from core.features.labels import LONG, NONE, SHORT, UNKNOWN, Labels, swing_points
from lab import calibration, labels, networks, panel, splits, trees
from lab.history import BROKER_FILES, History, read_broker
from lab.leaks.audit import CHECKS, audit
from lab.leaks.preparation import Learned, Preparation
from lab.panel import Featuring, Labelling, Mask, Panel, Rows
from lab.splits import Split

NAMES = ("move_10_atr", "true_range_atr", "close_position", "sma_50_distance", "atr_14_relative", "hour_sin")
RULE = labels.TRADES_3_ATR
HORIZON = RULE.horizon
WINDOW = 3
YEAR = 2020
LEFT_OUT = "AUD/JPY"
FILES = ("AUDJPY", "AUDUSD", "USDJPY")
STRETCHES = (("2018-11-26", "2019-01-12"), ("2019-12-23", "2020-01-18"))
# Which rows each step of `learn` sees.
SEEN = {
    "scaler": "train",
    "best feature": "train",
    "outcome by hour": "train",
    "components": "train",
    "class weight": "train",
    "fill values": "train",
    "threshold": "validation",
    "temperature": "validation",
    "steps": "validation",
}

_tables: dict[object, Panel] = {}

Histories: TypeAlias = Sequence[History]
Case: TypeAlias = tuple[Preparation, Histories]


def histories() -> list[History]:
    """Some weeks of three years of four pairs: two stretches with ten months between them."""
    found = []
    for name in FILES:
        whole = read_broker(next(BROKER_FILES.glob(f"{name}_1h_*.csv.gz")))
        times = whole.timestamps
        keep = [(times >= np.datetime64(first)) & (times < np.datetime64(last)) for first, last in STRETCHES]
        rows = np.flatnonzero(np.logical_or(*keep))
        found.append(History(whole.name, whole.sha256, times[rows], whole.rows[rows], whole.pair))
    return found


def featuring(candles: Candles) -> Floats:
    return panel.features(candles, NAMES)


def labelling(candles: Candles, pair: str) -> Labels:
    return labels.labels(RULE, candles, pair)


def table(histories: Histories) -> Panel:
    """The table of the lab, computed once for the same bars: most leaks are not in it."""
    key = tuple((each.pair, each.timestamps.tobytes(), each.rows.tobytes()) for each in histories)
    if key not in _tables:
        _tables[key] = panel.build(histories, NAMES, RULE)
    return _tables[key]


def split(panel: Panel) -> Split:
    return used(panel, splits.expanding(panel, YEAR), panel.usable(WINDOW))


def used(panel: Panel, parts: Split, usable: Mask, left_out: Sequence[str] = ()) -> Split:
    absent = splits.of_pairs(panel, left_out)
    early = [part & usable & ~absent for part in parts[:2]]
    return Split(early[0], early[1], parts.test & usable)


def inputs(panel: Panel, rows: Rows) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return trees.flat(panel, rows, WINDOW)


def learning(**other: str) -> Callable[[Panel, Split], Learned]:
    """What is fitted and chosen, each step from the rows of SEEN, or from those of `other`."""
    seen = SEEN | {name.replace("_", " "): part for name, part in other.items()}

    def learn(panel: Panel, split: Split) -> Learned:
        usable = panel.usable(WINDOW)
        parts = {
            **split._asdict(),
            "all": usable,
            "train and validation": split.train | split.validation,
            "other pairs": usable & (panel.times <= panel.times[split.train].max()),
        }
        rows = {step: np.flatnonzero(parts[part]) for step, part in seen.items()}
        truth = panel.opportunity
        scaler = networks.fit_scaler(panel, rows["scaler"], WINDOW)
        single = trees.fit_rule(panel, rows["best feature"], truth)
        hours = panel.times[rows["outcome by hour"]].astype("datetime64[h]").astype(np.int64) % 24
        outcome = np.bincount(hours, truth[rows["outcome by hour"]], 24)
        components = PCA(2).fit(panel.features[rows["components"]]).components_
        logits = descent(panel, np.flatnonzero(split.train))
        judged = truth[rows["steps"]]
        loss = [np.mean(np.logaddexp(0.0, each) - judged * each) for each in logits[:, rows["steps"]]]
        best = int(np.argmin(loss))
        temperature = calibration.temperature(logits[best][rows["temperature"]], truth[rows["temperature"]])
        probability = calibration.sigmoid(logits[best][rows["threshold"]])
        return Learned(
            {
                "scaler": [scaler.mean_, scaler.scale_],
                "best feature": f"{single.sign} {single.name}",
                "outcome by hour": outcome,
                "components": components,
                "class weight": truth[rows["class weight"]].mean(),
                "fill values": np.median(panel.features[rows["fill values"]], axis=0),
            },
            {
                "temperature": temperature,
                "threshold": float(np.quantile(probability, 0.9)),
                "steps": best,
            },
        )

    return learn


def descent(panel: Panel, rows: Rows, steps: int = 30) -> Floats:
    """A logistic regression that learns slowly: the logits of all rows after each step, (steps + 1, n)."""
    truth = panel.opportunity.astype(np.float64)
    x = (panel.features - panel.features[rows].mean(axis=0)) / panel.features[rows].std(axis=0)
    base = calibration.logits(truth[rows].mean())
    weights, found = np.zeros(x.shape[1]), [np.full(len(x), base)]
    for _ in range(steps):
        error = truth[rows] - calibration.sigmoid(found[-1][rows])
        weights += x[rows].T @ error / len(rows)
        found.append(base + x @ weights)
    return np.array(found)


CLEAN = Preparation(table, split, inputs, learning(), WINDOW)


class Planted(NamedTuple):
    """what: in words, for the page. caught_by: the check that must find it; None if none can, or there is no leak."""

    what: str
    caught_by: str | None
    make: Callable[[Histories], Case]


def preparation(change: Preparation) -> Callable[[Histories], Case]:
    return lambda histories: (change, histories)


def feature(compute: Callable[[Candles], Floats]) -> Callable[[Histories], Case]:
    """One more feature."""

    def more(candles: Candles) -> Floats:
        return np.column_stack([featuring(candles), np.nan_to_num(compute(candles))])

    return preparation(CLEAN._replace(table=assembled((*NAMES, "planted"), more, labelling)))


def assembled(names: Sequence[str], featuring: Featuring, labelling: Labelling) -> Callable[[Histories], Panel]:
    return lambda histories: panel.assemble(histories, names, featuring, labelling, HORIZON)


def every_feature(change: Callable[[Floats], Floats]) -> Callable[[Histories], Case]:
    return preparation(CLEAN._replace(table=assembled(NAMES, lambda c: change(featuring(c)), labelling)))


def label(labelling: Labelling) -> Callable[[Histories], Case]:
    return preparation(CLEAN._replace(table=assembled(NAMES, featuring, labelling)))


def bars(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Histories], Case]:
    """The bars of each pair are changed before anything is computed."""
    return preparation(CLEAN._replace(table=lambda histories: table([changed(each, change) for each in histories])))


def parts(split: Callable[[Panel], Split], **other: object) -> Callable[[Histories], Case]:
    return preparation(CLEAN._replace(split=split)._replace(**other))  # type: ignore[arg-type] # by name


def learned(**other: str) -> Callable[[Histories], Case]:
    return preparation(CLEAN._replace(learn=learning(**other)))


def times(candles: Candles) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.asarray(candles.times, np.float64).astype("datetime64[ms]"))


def frame(candles: Candles) -> pd.DataFrame:
    fields = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    return pd.DataFrame(np.column_stack(fields), times(candles), ["open", "high", "low", "close", "volume"])


def changed(history: History, change: Callable[[pd.DataFrame], pd.DataFrame]) -> History:
    found = change(frame(history.candles))
    return replace(history, timestamps=found.index.to_numpy().astype("datetime64[s]"), rows=found.to_numpy())


def ahead(x: Floats, bars: int = 1) -> Floats:
    """The value of a later bar."""
    return np.concatenate([x[bars:], np.full(bars, np.nan)])[: len(x)]


def behind(x: Floats, bars: int = 1) -> Floats:
    return np.concatenate([np.full(bars, np.nan), x])[: len(x)]


def move(c: Candles) -> Floats:
    return np.asarray(pd.Series(c.close).pct_change().to_numpy())


def hour(c: Candles) -> NDArray[np.int64]:
    hours: NDArray[np.int64] = np.asarray(c.times, np.float64).astype(np.int64) // 3_600_000 % 24
    return hours


def close(c: Candles) -> pd.Series[float]:
    return frame(c)["close"]


def zscore(x: Floats) -> Floats:
    if np.isfinite(x).all(axis=1).sum() < 20:
        return x
    with np.errstate(invalid="ignore"):  # a series that does not move
        found: Floats = (x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)
    return found


def both_ways(c: Candles) -> Floats:
    there = close(c).ewm(span=10).mean()
    return np.asarray((there / there[::-1].ewm(span=10).mean()[::-1]).to_numpy(), np.float64)


def four_hours(c: Candles, *, closed: bool) -> Floats:
    """The move of a bar of four hours: of the current one as it will be, or of the last one that has closed."""
    found = close(c).resample("4h").last().pct_change()
    return np.asarray(found.shift(closed).reindex(times(c).floor("4h")).to_numpy())


def day_range(c: Candles) -> Floats:
    bars = frame(c)
    day = bars.groupby(times(c).floor("D"))
    return np.asarray((day["high"].transform("max") - day["low"].transform("min")) / bars["close"])


def hours_to_next(c: Candles) -> Floats:
    hours = np.asarray(c.times, np.float64) / 3.6e6
    return ahead(hours) - hours


def month_rank(c: Candles) -> Floats:
    return np.asarray(close(c).groupby(times(c).month).rank(pct=True))


def main_component(x: Floats) -> Floats:
    known = np.isfinite(x).all(axis=1)
    out = np.full((len(x), len(NAMES)), np.nan)
    if known.sum() < len(NAMES):
        return out
    out[known] = PCA(len(NAMES), svd_solver="full").fit_transform(x[known])
    return out


def outcome_of_hour(c: Candles) -> Floats:
    hours, outcome = hour(c), labelling(c, "EUR/USD") > 0
    return (np.bincount(hours, outcome, 24) / np.maximum(np.bincount(hours, minlength=24), 1))[hours]


def first_values_filled(x: Floats) -> Floats:
    return pd.DataFrame(x).bfill().to_numpy()


def filled(bars: pd.DataFrame, how: str) -> pd.DataFrame:
    """The hours of gaps of up to three days."""
    hourly = bars.resample("1h").asfreq()
    known = bars.index.to_series().reindex(hourly.index)
    short = (known.bfill() - known.ffill()) <= pd.Timedelta("3D")
    if how == "interpolate":
        return hourly.interpolate()[short]
    return (hourly.bfill() if how == "bfill" else hourly.ffill())[short]


def adjusted(bars: pd.DataFrame) -> pd.DataFrame:
    """As for futures: by a difference, so that distances stay and ratios do not."""
    by = bars["close"].iloc[-1] / 10
    return bars.add([by, by, by, by, 0.0])


def without_spikes(bars: pd.DataFrame) -> pd.DataFrame:
    """A bar whose close is far from both neighbours gets their mean."""
    found, size = bars.copy(), bars["close"].diff().abs()
    spike = (size > 3 * size.rolling(20).mean()) & (size.shift(-1) > 0.5 * size)
    found.loc[spike, ["open", "high", "low", "close"]] = bars["close"].rolling(3, center=True).median()
    return found


def too_large(c: Candles, pair: str) -> Labels:
    """Labels for the tenth of the bars after which the price moves most, of all years."""
    later = ahead(c.close, HORIZON) / c.close - 1.0
    size = np.nanquantile(np.abs(later), 0.9)
    found = np.select([np.isnan(later), later > size, later < -size], [UNKNOWN, LONG, SHORT], NONE)
    del pair
    return found.astype(np.int8)


def later_labels(c: Candles, pair: str, bars: int) -> Labels:
    """The label of a bar that is so many bars away."""
    found = labelling(c, pair).astype(np.float64)
    other = ahead(found, bars) if bars > 0 else behind(found, -bars)
    return np.where(np.isnan(other), UNKNOWN, other).astype(np.int8)


def past_labels(c: Candles, pair: str) -> Labels:
    """The direction of the last bars, which the inputs have too."""
    del pair
    moved = c.close / behind(c.close, HORIZON) - 1.0
    return np.select([np.isnan(moved), moved > 0.002, moved < -0.002], [UNKNOWN, LONG, SHORT], NONE).astype(np.int8)


def until_reached(c: Candles, pair: str) -> Labels:
    return labels.labels(labels.TripleBarrier(4 * HORIZON, 2.0), c, pair)


def without_embargo(panel: Panel, bars: int) -> Split:
    return used(panel, splits.expanding(replace(panel, horizon=bars), YEAR), panel.usable(WINDOW))


def shuffled(panel: Panel) -> Split:
    share = np.random.default_rng(1).random(len(panel))
    return used(panel, Split(share < 0.6, (share >= 0.6) & (share < 0.8), share >= 0.8), panel.usable(WINDOW))


def folds(panel: Panel) -> Split:
    """Weeks in turn."""
    week = (panel.times.astype("datetime64[D]").astype(int) + 3) // 7
    return used(panel, Split(week % 3 == 0, week % 3 == 1, week % 3 == 2), panel.usable(WINDOW))


def backwards(panel: Panel) -> Split:
    """The year before the training is the test."""
    found = split(panel)
    middle = panel.times[found.train].min() + np.timedelta64(14, "D")
    return Split(found.train & (panel.times >= middle), found.validation, found.train & (panel.times < middle))


def own_shares(panel: Panel) -> Split:
    """Each pair has its own boundaries in time."""
    place = np.concatenate([np.arange(count) / count - 0.03 * n for n, count in enumerate(np.bincount(panel.pair))])
    parts = [place < 0.5, (place >= 0.5) & (place < 0.7)]
    # The lab's own embargo, so that only the boundaries are wrong.
    train, validation = (splits._without_tail(panel, part) for part in parts)  # noqa: SLF001
    return used(panel, Split(train, validation, place >= 0.7), panel.usable(WINDOW))


def with_boundary_twice(panel: Panel) -> Split:
    found = split(panel)
    first = panel.times[found.test].min()
    return found._replace(validation=found.validation | (found.test & (panel.times == first)))


def left_out_in(panel: Panel, *, training: bool, early: bool = False) -> Split:
    found = used(panel, splits.expanding(panel, YEAR), panel.usable(WINDOW), () if training else (LEFT_OUT,))
    own = splits.of_pairs(panel, [LEFT_OUT]) & panel.usable(WINDOW)
    return found._replace(test=own if early else found.test & own)


def drawn_twice(histories: Histories) -> Panel:
    """The bars with a direction are there three times."""
    found = table(histories)
    rows = np.sort(np.concatenate([np.arange(len(found)), *[np.flatnonzero(found.labels > 0)] * 2]))
    values = {name: getattr(found, name)[rows] for name in ("pair", "times", "features", "labels")}
    return replace(found, **values)


def inverse(histories: Histories) -> Case:
    """The pair that is left out is in the training the other way round."""
    found = CLEAN._replace(split=lambda panel: left_out_in(panel, training=False), left_out=(LEFT_OUT,))
    other = changed(histories[0], lambda bars: (1.0 / bars)[["open", "low", "high", "close", "volume"]])
    return found, [*histories, replace(other, pair="JPY/AUD", rows=np.nan_to_num(other.rows))]


def later_clock(hours: int, *, every: bool = False) -> Callable[[Histories], Case]:
    def make(histories: Histories) -> Case:
        by = np.timedelta64(hours, "h")
        first, *others = histories
        late = [replace(each, timestamps=each.timestamps + by) for each in (histories if every else [first])]
        return CLEAN, late if every else [*late, *others]

    return make


def known_by(key: Callable[[Candles], list[object]]) -> Callable[[Histories], Case]:
    """A feature that looks the next bars up in a file made of the whole series."""

    def make(histories: Histories) -> Case:
        known: dict[object, float] = {}
        for history in histories:
            outcome = labelling(history.candles, history.pair).astype(float)
            known |= dict(zip(key(history.candles), outcome.tolist(), strict=True))
        return feature(lambda c: np.array([known.get(each, 0.0) for each in key(c)]))(histories)

    return make


def frozen(make: Callable[[Panel], Preparation]) -> Callable[[Histories], Case]:
    """Something was found with all years and written into the code."""
    return lambda histories: (make(table(histories)), histories)


def frozen_scaler(panel: Panel) -> Preparation:
    found = networks.fit_scaler(panel, np.flatnonzero(panel.usable(WINDOW)), WINDOW)

    def learn(panel: Panel, split: Split) -> Learned:
        learned = learning()(panel, split)
        return learned._replace(fitted={**learned.fitted, "scaler": [found.mean_, found.scale_]})

    return CLEAN._replace(learn=learn)


def frozen_zscore(panel: Panel) -> Preparation:
    mean, size = np.nanmean(panel.features, axis=0), np.nanstd(panel.features, axis=0)
    return CLEAN._replace(table=assembled(NAMES, lambda c: (featuring(c) - mean) / size, labelling))


def frozen_outcome(panel: Panel) -> Preparation:
    hours = panel.times.astype("datetime64[h]").astype(np.int64) % 24
    means = np.bincount(hours, panel.opportunity, 24) / np.maximum(np.bincount(hours, minlength=24), 1)
    made = feature(lambda c: means[hour(c)])([])
    return made[0]


def frozen_choice(panel: Panel) -> Preparation:
    """One feature, chosen by a person who saw the test year."""
    best = trees.fit_rule(panel, np.flatnonzero(split(panel).test), panel.opportunity).name.strip("|")
    names = (best, "hour_cos")
    return CLEAN._replace(table=lambda histories: panel_of(histories, names))


def panel_of(histories: Histories, names: Sequence[str]) -> Panel:
    return panel.build(histories, names, RULE)


def rarely_ahead(c: Candles) -> Floats:
    """At one bar of a thousand, by its price."""
    rare = np.round(c.close * 1e5).astype(np.int64) % 997 == 0
    return np.where(rare, ahead(move(c)), move(c))


def revised(histories: Histories) -> Case:
    return CLEAN, [changed(each, without_spikes) for each in histories]


def crossing(panel: Panel) -> Split:
    return used(panel, splits.expanding(panel, YEAR), panel.labels != UNKNOWN)


def learning_of_all(panel: Panel, split: Split) -> Learned:
    return learning()(replace(panel, features=np.nan_to_num(panel.features)), split)


def window_at(panel: Panel, rows: Rows, window: int, later: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    values = np.nan_to_num(panel.features).astype(np.float32)
    return networks.windows(values, np.minimum(rows + later, len(panel) - 1), window)


def standardised(panel: Panel, rows: Rows) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return inputs(replace(panel, features=zscore(panel.features)), rows)


LEAKS = {
    "next_move": Planted("a feature one bar ahead: the next move", "features", feature(lambda c: ahead(move(c)))),
    "next_high": Planted("the high of the next bar", "features", feature(lambda c: ahead(c.high) / c.close)),
    "centred_mean": Planted(
        "a centred mean", "features", feature(lambda c: close(c).rolling(9, center=True).mean().to_numpy() / c.close)
    ),
    "both_ways": Planted("a mean that runs forward and backward", "features", feature(both_ways)),
    "open_4h_bar": Planted(
        "a resampled bar of 4 hours that has not closed", "features", feature(lambda c: four_hours(c, closed=False))
    ),
    "day_range": Planted("a resampled bar of a day, with its later hours", "features", feature(day_range)),
    "month_rank": Planted("the rank among all bars of the month", "features", feature(month_rank)),
    "whole_series": Planted("features standardised over the whole series", "features", every_feature(zscore)),
    "components_before": Planted(
        "principal components of the whole series, before the split", "features", every_feature(main_component)
    ),
    "swing_points": Planted(
        "extremes marked at their bar, confirmed later",
        "features",
        feature(lambda c: swing_points(c, neighbours=3, min_move_pips=0.0).astype(float)),
    ),
    "label_input": Planted(
        "the label among the inputs", "features", feature(lambda c: labelling(c, "EUR/USD").astype(float))
    ),
    "old_outcomes": Planted(
        "outcomes of the last bars, of which some are not over",
        "features",
        feature(lambda c: behind((labelling(c, "EUR/USD") > 0).astype(float), HORIZON - 1)),
    ),
    "hour_outcome": Planted("the mean outcome of the hour, of all years", "features", feature(outcome_of_hour)),
    "next_time": Planted("the hours to the next bar, known before a holiday", "features", feature(hours_to_next)),
    "first_filled": Planted(
        "the first bars filled with later features", "features", every_feature(first_values_filled)
    ),
    "bfill": Planted("gaps filled backward", "features", bars(lambda each: filled(each, "bfill"))),
    "interpolated": Planted(
        "gaps filled on a straight line", "features", bars(lambda each: filled(each, "interpolate"))
    ),
    "adjusted": Planted("prices adjusted by a distance that is known at the end", "features", bars(adjusted)),
    "by_date": Planted(
        "an outcome looked up by the date", "dates", known_by(lambda c: list(np.asarray(c.times).tolist()))
    ),
    "date": Planted("the date as a feature", "dates", feature(lambda c: np.asarray(c.times) / 1e9)),
    "by_prices": Planted(
        "an outcome remembered by the bar's prices",
        "too good",
        known_by(lambda c: list(zip(c.open.tolist(), c.high.tolist(), c.low.tolist(), strict=True))),
    ),
    "clock_1h": Planted("a pair whose clock is an hour late", "clock", later_clock(1)),
    "clock_1d": Planted("a pair that is a day late", "clock", later_clock(24)),
    "label_later": Planted("labels of the bar after", "horizon", label(lambda c, p: later_labels(c, p, 1))),
    "label_earlier": Planted("labels of the bar before", "past", label(lambda c, p: later_labels(c, p, -1))),
    "label_of_past": Planted("labels of a move that is over", "past", label(past_labels)),
    "label_longer": Planted("labels that wait longer than the stated horizon", "horizon", label(until_reached)),
    "label_quantile": Planted("labels by a quantile of all years' moves", "horizon", label(too_large)),
    "no_embargo": Planted("no embargo: labels across the split", "order", parts(lambda p: without_embargo(p, 0))),
    "short_embargo": Planted("an embargo one bar short", "order", parts(lambda p: without_embargo(p, HORIZON - 1))),
    "shuffled": Planted("a shuffled split", "order", parts(shuffled)),
    "folds": Planted("folds of weeks in turn", "order", parts(folds)),
    "backwards": Planted("training after the test", "order", parts(backwards)),
    "own_shares": Planted("each pair split at a time of its own", "order", parts(own_shares)),
    "boundary_twice": Planted("the first bars of a part also in the one before", "parts", parts(with_boundary_twice)),
    "oversampled": Planted("bars drawn twice before a shuffled split", "parts", parts(shuffled, table=drawn_twice)),
    "left_out_trained": Planted(
        "a pair left out, but trained on", "pairs", parts(lambda p: left_out_in(p, training=True), left_out=(LEFT_OUT,))
    ),
    "left_out_early": Planted(
        "a pair left out, scored in the years of the training",
        "order",
        parts(lambda p: left_out_in(p, training=False, early=True), left_out=(LEFT_OUT,)),
    ),
    "inverse": Planted("a pair left out, but trained on the other way round", "pairs", inverse),
    "window_ahead": Planted(
        "windows that end one bar late",
        "windows",
        preparation(CLEAN._replace(inputs=lambda panel, rows: window_at(panel, rows, WINDOW, 1))),
    ),
    "window_pairs": Planted(
        "windows that begin in another pair",
        "windows",
        parts(crossing, window=20, inputs=lambda panel, rows: window_at(panel, rows, 20, 0), learn=learning_of_all),
    ),
    "inputs_scaled": Planted(
        "windows standardised over all parts", "windows", preparation(CLEAN._replace(inputs=standardised))
    ),
    "scaler_all": Planted("a scaler fitted on all parts", "fitted", learned(scaler="all")),
    "scaler_validation": Planted("a scaler that saw validation", "fitted", learned(scaler="train and validation")),
    "scaler_pairs": Planted(
        "a scaler that saw the pairs left out",
        "fitted",
        parts(lambda p: left_out_in(p, training=False), left_out=(LEFT_OUT,), learn=learning(scaler="other pairs")),
    ),
    "scaler_before": Planted("a scaler fitted before, on all parts", "elsewhere", frozen(frozen_scaler)),
    "features_all": Planted("features chosen on all years", "fitted", learned(best_feature="all")),
    "outcome_all": Planted("the hour encoded by the outcomes of all years", "fitted", learned(outcome_by_hour="all")),
    "components_all": Planted("principal components of all parts", "fitted", learned(components="all")),
    "weight_all": Planted("class weights of all parts", "fitted", learned(class_weight="all")),
    "fill_all": Planted("missing values filled with a median of all parts", "fitted", learned(fill_values="all")),
    "threshold_test": Planted("a threshold chosen on the test year", "chosen", learned(threshold="test")),
    "temperature_test": Planted("a temperature chosen on the test year", "chosen", learned(temperature="test")),
    "stopping_test": Planted("early stopping on the test year", "chosen", learned(steps="test")),
}
MISSED = {
    "frozen_zscore": Planted("means of all years written into a feature", None, frozen(frozen_zscore)),
    "frozen_outcome": Planted(
        "mean outcomes by hour of all years written into a feature", None, frozen(frozen_outcome)
    ),
    "frozen_choice": Planted("features that a person chose after seeing the test year", None, frozen(frozen_choice)),
    "rarely": Planted("a feature one bar ahead at one bar of a thousand only", None, feature(rarely_ahead)),
    "revised": Planted("bars that were corrected later, in the files already", None, revised),
    "all_clocks": Planted("all clocks an hour late", None, later_clock(1, every=True)),
    "cross": Planted(
        "a pair left out that is the cross of two others",
        None,
        parts(lambda p: left_out_in(p, training=False), left_out=(LEFT_OUT,)),
    ),
}
INNOCENT = {
    "clean": Planted("the lab's own way", None, preparation(CLEAN)),
    "ffill": Planted("gaps filled forward", None, bars(lambda each: filled(each, "ffill"))),
    "closed_4h_bar": Planted("a bar of 4 hours that has closed", None, feature(lambda c: four_hours(c, closed=True))),
    "so_far": Planted("the spread of all bars so far", None, feature(lambda c: close(c).expanding().std().to_numpy())),
    "old_labels": Planted(
        "outcomes of old bars, all over",
        None,
        feature(lambda c: behind((labelling(c, "EUR/USD") > 0).astype(float), HORIZON)),
    ),
    "longer_embargo": Planted("a longer embargo", None, parts(lambda p: without_embargo(p, 3 * HORIZON))),
}


def found_by(planted: Planted, histories: Histories) -> set[str]:
    """The checks that find something."""
    return {leak.check for leak in audit(*planted.make(histories), random_moments=4)}


def row(planted: Planted, checks: set[str]) -> str:
    """A row of the page's table."""
    return f"| {planted.what} | {'yes, by ' + str(planted.caught_by) if planted.caught_by in checks else 'no'} |"


def main() -> None:
    """Print the tables of the page."""
    own = histories()
    lines = [row(each, found_by(each, own)) for each in (*LEAKS.values(), *MISSED.values())]
    caught = len([line for line in lines if "| yes, by " in line])
    checks = [f"| {check} | {meaning} |" for check, meaning in CHECKS.items()]
    passing = [f"- {each.what}" for each in INNOCENT.values() if not found_by(each, own)]
    print("\n".join([*checks, "", f"{caught} of {len(lines)} kinds", *lines, "", *passing]))  # noqa: T201 - its output


if __name__ == "__main__":
    main()
