"""The page about an experiment as plain sentences and numbers, made from its report. Nothing here is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from core.experiments.experiment import VARIANTS
from core.reports.page import advice
from core.reports.page.quantity import QUANTITIES, Number, Report, day, minute, number, share
from core.reports.page.rounding import rounded

Kind: TypeAlias = Literal["better", "same", "waiting", "invalid"]
_SOURCES = {"reported": "results that the backend reported", "labels": "labels by later candles"}


class Figure(NamedTuple):
    """One of the three numbers that matter."""

    label: str
    number: Number


class Grid(NamedTuple):
    """A table: the first cell of each row is its heading."""

    title: str
    remark: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Point(NamedTuple):
    """A look in the history. at: seconds since 1970; the numbers are in the unit of the page."""

    at: float
    estimate: float
    interval: tuple[float, float] | None
    valid: bool


class Course(NamedTuple):
    """The difference over time, oldest first. effect: the smallest difference of interest."""

    title: str
    summary: str
    unit: str
    effect: float
    points: tuple[Point, ...]
    table: Grid


class Page(NamedTuple):
    """Everything that a page shows, in this order."""

    name: str
    question: str
    setting: tuple[str, ...]
    description: str
    word: str
    kind: Kind
    sentence: str
    figures: tuple[Figure, ...]
    limits: tuple[str, ...]
    steps: tuple[str, ...]
    course: Course | None
    variants: Grid
    breakdown: Grid | None
    facts: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]
    at: str


def page(report: Report, at: str) -> Page:
    """The page of a report. at: the time of the report, ISO 8601."""
    verdict, metric = report["verdict"], report["metric"]
    quantity, a, b = QUANTITIES[metric], report["variant_a"], report["variant_b"]
    return Page(
        name=report["name"],
        question=f"Is {b} better than {a}?",
        setting=tuple(_setting(report)),
        description=report["description"],
        word=capital(verdict["word"]),
        kind=kind_of(verdict["word"]),
        sentence=f"{capital(verdict['sentence'])}.",
        figures=(
            *(
                Figure(
                    f"{capital(quantity.name)} of {variant}, {report[f'variant_{variant.lower()}']}",
                    number(quantity, report["variants"][variant][metric]),
                )
                for variant in VARIANTS
            ),
            Figure("Difference, B \N{MINUS SIGN} A", number(quantity, report["differences"][metric], difference=True)),
        ),
        limits=tuple(advice.limits(report)) or ("Nothing is known that would limit these numbers.",),
        steps=tuple(advice.steps(report)),
        course=_course(report, at),
        variants=_variants(report),
        breakdown=_breakdown(report),
        facts=tuple(_facts(report)),
        notes=tuple(_notes(report)),
        at=minute(at),
    )


def kind_of(word: str) -> Kind:
    """How a verdict is coloured."""
    if word.endswith(" better"):
        return "better"
    if word.startswith("no difference"):
        return "same"
    return "invalid" if word == "invalid" else "waiting"


def _setting(report: Report) -> Iterator[str]:
    yield QUANTITIES[report["metric"]].name
    mode = report["mode"]
    yield f"{mode}, {share(report['traffic_split'])} of the users get A" if mode == "split" else f"{mode} mode"
    if mode == "crossover":
        yield "users change sides"
    activated, stopped = report["activated_at"], report["stopped_at"]
    if activated is None:
        yield "not active yet" if report["status"] == "draft" else f"created on {day(report['created_at'])}"
    elif stopped is None:
        yield f"since {day(activated)}"
    else:
        yield f"from {day(activated)} to {day(stopped)}"
    if report["status"] == "stopped":
        reason = report.get("stop_reason")
        yield f"stopped: {reason}" if reason else "stopped"
    if owner := report.get("owner"):
        yield f"owner: {owner}"


def _variants(report: Report) -> Grid:
    sides = [report["variants"][variant] for variant in VARIANTS]
    rows = [
        _counts("Predictions", sides, "predictions"),
        *([_counts("Users", sides, "unique_users")] if report["mode"] != "shadow" else []),
        _counts("Candles", sides, "unique_candles"),
        ("Long, short, hold", *(_signals(of["signals"]) for of in sides)),
        *(
            (capital(quantity.name), *(str(number(quantity, of[name])) for of in sides))
            for name, quantity in QUANTITIES.items()
            if all(name in of for of in sides)
        ),
        *(
            _counts(capital(name), sides, name)
            for name in ("fallbacks", "failures", "refused", "unrecorded")
            if all(isinstance(of.get(name), int) for of in sides)
        ),
    ]
    columns = ("Measure", *(f"{variant}: {of['model_version']}" for variant, of in zip(VARIANTS, sides, strict=True)))
    return Grid("Both versions", "Only the three numbers above are the subject of the verdict.", columns, tuple(rows))


def _signals(counts: Report) -> str:
    return ", ".join(f"{counts[name]:,}" for name in ("long", "short", "hold"))


def _counts(title: str, sides: Sequence[Report], name: str) -> tuple[str, ...]:
    return title, *(f"{of[name]:,}" for of in sides)


def _breakdown(report: Report) -> Grid | None:
    found = report.get("breakdown")
    if not found or not found["places"][1:]:
        return None
    quantity = QUANTITIES[found["metric"]]
    rows = tuple(
        (
            f"{place['pair']} {place['timeframe']}",
            f"{place['candles']:,}",
            *(str(number(quantity, place[variant])) for variant in VARIANTS),
            str(number(quantity, place["difference"], difference=True)),
        )
        for place in found["places"]
    )
    remark = "Exploratory: of many intervals some miss the true value, so no row here decides anything."
    if report["mode"] != "shadow":
        remark += " The intervals leave out that users differ."
    if (total := found["total"]) > len(rows):
        remark += f" The {len(rows)} of {total:,} with the most candles."
    return Grid("By pair and timeframe", remark, ("Pair and timeframe", "Candles", "A", "B", "Difference"), rows)


def _course(report: Report, at: str) -> Course | None:
    """The history and the present difference; None if there is only one point or none."""
    quantity, present = QUANTITIES[report["metric"]], report["differences"][report["metric"]]
    looks = [*report.get("history", ()), {**present, "at": at, "word": report["verdict"]["word"]}]
    looks = [look for look in looks if look["estimate"] is not None]
    if not looks[1:]:
        return None

    def scaled(look: dict[str, Any]) -> Point:
        ends = look["interval"]
        interval = None if ends is None else (ends[0] * quantity.scale, ends[1] * quantity.scale)
        at = datetime.fromisoformat(look["at"]).timestamp()
        return Point(at, look["estimate"] * quantity.scale, interval, look.get("valid", True))

    first, last = (f"{number(quantity, look, difference=True)} on {day(look['at'])}" for look in (looks[0], looks[-1]))
    shown = [looks[round(n * (len(looks) - 1) / (_SHOWN_LOOKS - 1))] for n in range(_SHOWN_LOOKS)]
    rows = {
        look["at"]: (
            minute(look["at"]), str(number(quantity, look, difference=True)), f"{look['candles']:,}", look["word"]
        )
        for look in shown
    }  # fmt: skip
    return Course(
        title="The difference over time",
        summary=f"{len(looks):,} looks. The first: {first}. The last: {last}.",
        unit=quantity.difference_unit,
        effect=report["minimum_effect"] * quantity.scale,
        points=tuple(scaled(look) for look in looks),
        table=Grid("Some of the looks", "", ("Time", "Difference", "Candle times", "Verdict"), tuple(rows.values())),
    )


_SHOWN_LOOKS = 8


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    metric = report["metric"]
    quantity = QUANTITIES[metric]
    effect = f"{rounded(report['minimum_effect'] * quantity.scale, None)} {quantity.difference_unit}"
    yield "Smallest difference of interest", effect
    yield "Results come from", _SOURCES.get(report["differences"][metric].get("source"), "unknown")
    if rule := report.get("label_rule"):
        yield "Label rule", ", ".join(f"{key} {value}" for key, value in _scalars(rule))
    if guardrails := report.get("guardrails"):
        yield "Guardrails", ", ".join(f"{name} {value:g}" for name, value in guardrails.items())
    yield "Experiment", report["experiment_id"]


def _scalars(rule: object) -> Iterator[tuple[str, object]]:
    """The plain values of a rule; a rule as text stands for itself."""
    if isinstance(rule, dict):
        yield from ((key, value) for key, value in rule.items() if isinstance(value, str | int | float))
    else:
        yield "", rule


def _notes(report: Report) -> Iterator[tuple[str, str]]:
    for note in report.get("notes") or ():
        if isinstance(note, dict):
            yield (minute(note["at"]) if note.get("at") else ""), str(note.get("text") or note.get("note") or "")
        else:
            yield "", str(note)


def capital(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]
