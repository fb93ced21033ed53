"""The page about a replay as plain sentences and tables, made from its report. Nothing here is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from core.experiments.experiment import VARIANTS
from core.replay.weeks import Json
from core.reports.page.quantity import NOT_VALID, QUANTITIES, Number, Quantity, day, number, share
from core.reports.page.rounding import half_width, rounded
from core.reports.page.view import Figure, Grid, Kind, capital, kind_of

_PIPS, _ATR = ("pips", "pips", 1.0), ("ATR", "ATR", 1.0)
_PERCENT = ("%", "percentage points", 100.0)
# The figures of trades and of Stage 1, in the order of the page.
FIGURES = {
    "auc": Quantity("AUC of Stage 1", "", "", 1.0),
    "ece": Quantity("calibration error (ECE)", "", "", 1.0),
    "hit_rate": Quantity("trades that earned something", *_PERCENT),
    "expectancy_pips": Quantity("mean of a trade", *_PIPS),
    "expectancy_atr": Quantity("mean of a trade", *_ATR),
    "net_pips": Quantity("account at the end", *_PIPS),
    "drawdown_pips": Quantity("largest drawdown", *_PIPS),
    "drawdown_atr": Quantity("largest drawdown", *_ATR),
    "exposure": Quantity("time with a position", *_PERCENT),
    "turnover": Quantity("positions a week, all pairs", "", "", 1.0),
}
# Columns of the tables by pair and year.
_SHORT = ("auc", "expectancy_pips")
# Of a share of answers like this, the inputs were unlike those of training.
MUCH_OUTSIDE = 0.05
_EXITS = {
    "horizon": "at the close of the rule's horizon",
    "barriers": "at the rule's profit or loss, else at its horizon",
}
_ORIGINS = {
    "given": "as asked",
    "versions": "that of the versions",
    "default": "the default: the versions have none in common",
}


class ReplayPage(NamedTuple):
    """Everything that a page shows, in this order. The verdict's parts are those of the first comparison."""

    question: str
    setting: tuple[str, ...]
    word: str
    kind: Kind
    sentence: str
    figures: tuple[Figure, ...]
    limits: tuple[str, ...]
    grids: tuple[Grid, ...]
    parts: tuple[Grid, ...]
    facts: tuple[tuple[str, str], ...]


def replay_page(report: Json) -> ReplayPage:
    """The page of a replay's report."""
    word, sentence = verdict(report)
    return ReplayPage(
        question=question(report),
        setting=tuple(_setting(report)),
        word=titled(word),
        kind=kind_of(word),
        sentence=sentence,
        figures=tuple(_figures(report)),
        limits=tuple(limits(report)),
        grids=(*_comparisons(report), results(report)),
        parts=(by(report, "pair"), by(report, "year"), _cells(report)),
        facts=tuple(_facts(report)),
    )


def question(report: Json) -> str:
    """What the replay asks."""
    first, *others = report["versions"]
    return f"Is {' or '.join(others)} better than {first}?" if others else f"What would {first} have done?"


def verdict(report: Json) -> tuple[str, str]:
    """The word and the sentence of the first comparison; of a single version its mean trade."""
    if report["comparisons"]:
        found = report["comparisons"][0]
        sentence = (
            found["verdict"]["sentence"].removeprefix(f"A is {found['a']}: ").removeprefix(f"B is {found['b']}: ")
        )
        return named(found["verdict"]["word"], found), f"{named(capital(sentence), found)}."
    (version,) = report["versions"]
    found = report["figures"][version]["expectancy_pips"]
    return "one version", f"A trade of {version} made {cell('expectancy_pips', found)} after costs."


def titled(word: str) -> str:
    """The verdict's word with a capital, unless it begins with the name of a version."""
    return word if word.endswith(" better") else capital(word)


def named(sentence: str, of: Json) -> str:
    """The sentence of a comparison with the versions instead of A and B."""
    return re.sub(r"\b[AB]\b", lambda variant: str(of[variant[0].lower()]), sentence)


def cell(name: str, found: Json, *, difference: bool = False, with_unit: bool = True) -> str:
    """A figure with its interval, as text; in a row whose heading has the unit, without it."""
    quantity, estimate, interval = FIGURES[name], found["estimate"], found["interval"]
    if estimate is None:
        return "unknown"
    value = estimate * quantity.scale
    ends = None if interval is None else [end * quantity.scale for end in interval]
    half = half_width(value, ends)
    unit = (quantity.difference_unit if difference else quantity.unit) if with_unit else ""
    text = f"{rounded(value, half, signed=difference)} {unit}".strip()
    if ends is None:
        return text
    low, high = (rounded(end, half, signed=difference) for end in ends)
    return f"{text} ({low} to {high}{'' if found['valid'] else f'; {NOT_VALID}'})"


def _setting(report: Json) -> Iterator[str]:
    pairs = report["pairs"]
    yield ", ".join(pairs) if len(pairs) <= len(VARIANTS) else f"{len(pairs)} pairs"
    yield report["timeframe"]
    if report["from"]:
        yield f"{day(report['from'])} to {day(report['to'])}"
    yield f"{report['candles']:,} candles"


def _figures(report: Json) -> Iterator[Figure]:
    metric = report["metric"]
    quantity = QUANTITIES[metric]
    for found in report["comparisons"][:1]:
        for variant in VARIANTS:
            version = found[variant.lower()]
            yield Figure(f"{capital(quantity.name)} of {version}", number(quantity, found["variants"][variant][metric]))
        yield Figure("Difference", number(quantity, found["differences"][metric], difference=True))


def limits(report: Json) -> Iterator[str]:
    """What a reader must know before trusting the numbers."""
    yield "Candles that a version was trained or chosen on prove nothing about it: compare with its metadata."
    for version, found in report["answers"].items():
        if (found["out_of_range"] or 0) >= MUCH_OUTSIDE:
            yield f"{share(found['out_of_range'])} of the answers of {version} carry the warning OUT_OF_RANGE."
    if report["other_spacing"]:
        pairs = ", ".join(report["other_spacing"])
        yield f"Most candles of {pairs} are not {report['timeframe']} apart: replay them with their timeframe."
    if report["label_rule_from"] == "default":
        yield "The versions have no label rule in common, so the default one judges them."
    for found in report["comparisons"]:
        if not found["differences"][report["metric"]].get("valid", True):
            yield f"Too few results of {found['a']} and {found['b']}: the interval of the verdict can be too narrow."
    yield "Past results after assumed costs; fills, swaps and news are not in candles."


def _comparisons(report: Json) -> Iterator[Grid]:
    metric = report["metric"]
    quantity = QUANTITIES[metric]
    if len(report["comparisons"]) > 1:
        rows = tuple(
            (
                f"{found['b']} against {found['a']}",
                named(found["verdict"]["word"], found),
                str(number(quantity, found["differences"][metric], difference=True)),
            )
            for found in report["comparisons"]
        )
        yield Grid("Verdicts", "Each has its own error rate of 5 %.", ("Versions", "Verdict", "Difference"), rows)


def results(report: Json) -> Grid:
    """All figures of all versions, and the differences from the first one."""
    versions = report["versions"]
    others = list(report["figure_differences"])
    counts = {version: report["answers"][version] for version in versions}
    head = (
        ("Long, short, hold", *(_signals(counts[version]) for version in versions), *[""] * len(others)),
        ("Trades", *(f"{counts[version]['trades']:,}" for version in versions), *[""] * len(others)),
    )
    rows = (
        (
            capital(quantity.name) + (f", {quantity.unit}" if quantity.unit else ""),
            *(cell(name, report["figures"][version][name], with_unit=False) for version in versions),
            *(
                cell(name, report["figure_differences"][version][name], difference=True, with_unit=False)
                for version in others
            ),
        )
        for name, quantity in FIGURES.items()
    )
    return Grid(
        "Stage 1, and trades after costs",
        f"Intervals from {report['weeks']:,} weeks, drawn again {report['draws']:,} times. They decide nothing.",
        ("Figure", *versions, *(f"{version} \N{MINUS SIGN} {versions[0]}" for version in others)),
        (*head, *rows),
    )


def _signals(counts: Json) -> str:
    return ", ".join(f"{counts['signals'][name]:,}" for name in ("long", "short", "hold"))


def by(report: Json, what: str) -> Grid:
    """The metric's difference, AUC and the mean trade of each pair or year."""
    metric, versions = report["metric"], report["versions"]
    quantity = QUANTITIES[metric]
    comparison = next(iter(report["comparisons"]), None)
    differences: Mapping[object, Json] = {}
    if comparison is not None:
        found = comparison["breakdown"]["places"] if what == "pair" else comparison["years"]
        differences = {each[what]: each["difference"] for each in found}
    rows = tuple(
        (
            str(each[what]),
            *([_metric(quantity, differences.get(each[what]))] if comparison else []),
            *(cell(name, each["figures"][version][name]) for name in _SHORT for version in versions),
        )
        for each in report[f"by_{what}"]
    )
    columns = (
        capital(what),
        *([f"{capital(quantity.name)}, {comparison['b']} \N{MINUS SIGN} {comparison['a']}"] if comparison else []),
        *(f"{capital(FIGURES[name].name)}, {version}" for name in _SHORT for version in versions),
    )
    remark = "Exploratory: of many intervals some miss the true value, so no row here decides anything."
    return Grid(f"By {what}", remark, columns, rows)


def _metric(quantity: Quantity, found: Json | None) -> str:
    return (
        str(number(quantity, found, difference=True)) if found else str(Number("unknown", None, valid=True, candles=0))
    )


def _cells(report: Json) -> Grid:
    versions = report["versions"]
    rows = tuple(
        (
            f"{each['pair']} {each['year']}",
            *(cell(name, each["figures"][version][name]) for name in _SHORT for version in versions),
        )
        for each in report["by_pair_and_year"]
    )
    columns = (
        "Pair and year",
        *(f"{capital(FIGURES[name].name)}, {version}" for name in _SHORT for version in versions),
    )
    return Grid("By pair and year", "Exploratory, as above.", columns, rows)


def _facts(report: Json) -> Iterator[tuple[str, str]]:
    rule = report["label_rule"]
    yield "Label rule", ", ".join(f"{key} {value}" for key, value in rule.items())
    yield "Where it is from", _ORIGINS[report["label_rule_from"]]
    yield "Entry", "at the open of the candle after the signal"
    yield "Exit", _EXITS[report["exit"]]
    yield "Costs of a trade", " + ".join(f"{name} {pips:g} pips" for name, pips in report["costs"].items())
    yield "Smallest difference of interest", _effect(report)
    for version, digest in report["digests"].items():
        yield f"Bundle of {version}", digest
    yield "Seed of the draws", str(report["seed"])
    yield "Answers", f"{report['predictions']:,} in {report['seconds']['answers']:.1f} s"


def _effect(report: Json) -> str:
    quantity = QUANTITIES[report["metric"]]
    return f"{rounded(report['minimum_effect'] * quantity.scale, None)} {quantity.difference_unit}"
