"""Pictures of a replay as SVG: the account over time, reliability, and results by hour of day."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from core.replay.weeks import Json
from core.reports.page.chart import axis_step
from core.reports.page.markup import Markup, element
from core.reports.page.rounding import rounded

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 700, 34, 268
_HOURS = 24


class Frame(NamedTuple):
    """The ends of both axes."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float) -> str:
        """The horizontal place of a value."""
        low, high = self.x
        return f"{_LEFT + (x - low) / (high - low) * (_RIGHT - _LEFT):.1f}"

    def up(self, y: float) -> str:
        """The vertical place of a value; one outside is drawn at the end."""
        low, high = self.y
        return f"{_BOTTOM - (min(max(y, low), high) - low) / (high - low) * (_BOTTOM - _TOP):.1f}"


def equity(report: Json) -> Markup:
    """The account of each version over time."""
    lines = {
        version: [(datetime.fromisoformat(at).timestamp(), pips) for at, pips in zip(*of.values(), strict=True)]
        for version, of in report["equity"].items()
    }
    frame = _frame([point for line in lines.values() for point in line], zero=True)
    begin, end = (datetime.fromtimestamp(at, UTC) for at in frame.x)
    ends = [
        element("text", f"{begin:%b %Y}", x=str(_LEFT), y=str(HEIGHT - 10)),
        element("text", f"{end:%b %Y}", class_="to", x=str(_RIGHT), y=str(HEIGHT - 10)),
    ]
    courses = [_polyline(frame, line, i) for i, line in enumerate(lines.values())]
    return _drawing("equity", "Account in pips", list(lines), frame, [*ends, *courses])


def reliability(report: Json) -> Markup:
    """How often reversals came, by the probability that Stage 1 gave; true probabilities lie on the diagonal."""
    frame = Frame((0.0, 1.0), (0.0, 1.0))
    diagonal = element("line", class_="effect", x1=frame.at(0), y1=frame.up(0), x2=frame.at(1), y2=frame.up(1))
    parts = [diagonal, *_numbers(frame, (0.0, 0.25, 0.5, 0.75, 1.0), lambda at: f"{at:g}")]
    for i, bins in enumerate(report["reliability"].values()):
        parts += _with_intervals(frame, [(each["probability"], each["share"]) for each in bins], i, 3.0)
    title = "Share of reversals by Stage 1's probability"
    return _drawing("reliability", title, list(report["reliability"]), frame, parts)


def by_hour(report: Json) -> Markup:
    """Mean pips of a trade by the hour of its signal."""
    points = {
        version: [(float(hour), each["expectancy_pips"]) for hour, each in enumerate(hours)]
        for version, hours in report["by_hour"].items()
    }
    ends = [
        (hour, end)
        for line in points.values()
        for hour, number in line
        if number["estimate"] is not None
        for end in (number["interval"] or [number["estimate"]])
    ]
    frame = _frame(ends, zero=True)._replace(x=(-0.5, _HOURS - 0.5))
    parts = _numbers(frame, [float(hour) for hour in range(0, _HOURS, 3)], lambda hour: f"{hour:g}:00")
    for i, line in enumerate(points.values()):
        parts += _with_intervals(frame, line, i, 5.0)
    return _drawing("hours", "Mean pips of a trade by hour of its signal, UTC", list(points), frame, parts)


def _frame(points: Sequence[tuple[float, float]], *, zero: bool) -> Frame:
    """The ends of axes that hold all points."""
    xs, ys = ([point[axis] for point in points] for axis in (0, 1))
    ys += [0.0] if zero or not ys else []
    low, high = min(ys), max(ys)
    margin = 0.05 * (high - low) or 1.0
    begin, end = (min(xs), max(xs)) if xs else (0.0, 1.0)
    return Frame((begin, max(end, begin + 1.0)), (low - margin, high + margin))


def _drawing(name: str, title: str, versions: Sequence[str], frame: Frame, parts: Sequence[Markup]) -> Markup:
    step = axis_step(frame.y[1] - frame.y[0])
    ticks = [step * n for n in range(math.ceil(frame.y[0] / step), math.floor(frame.y[1] / step) + 1)]
    legend = (
        element("text", version, class_=f"v{i % 4}", x=str(_LEFT + 150 * i), y="20")
        for i, version in enumerate(versions)
    )
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        *(_level(frame, tick, "zero" if tick == 0 else "grid") for tick in ticks),
        *(
            element("text", rounded(tick, 10 * step), class_="tick", x=str(_LEFT - 8), y=frame.up(tick), dy="4")
            for tick in ticks
        ),
        *legend,
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby=f"{name}-title",
    )


def _level(frame: Frame, at: float, kind: str) -> Markup:
    return element("line", class_=kind, x1=str(_LEFT), x2=str(_RIGHT), y1=frame.up(at), y2=frame.up(at))


def _numbers(frame: Frame, at: Sequence[float], text: Callable[[float], str]) -> list[Markup]:
    return [element("text", text(x), class_="middle", x=frame.at(x), y=str(HEIGHT - 10)) for x in at]


def _polyline(frame: Frame, line: Sequence[tuple[float, float]], version: int) -> Markup:
    points = " ".join(f"{frame.at(x)},{frame.up(y)}" for x, y in line)
    return element("polyline", class_=f"line v{version % 4}", points=points)


def _with_intervals(
    frame: Frame, numbers: Sequence[tuple[float, Json]], version: int, apart: float
) -> Iterator[Markup]:
    """Points with their intervals. Those of a second version stand `apart` beside the first."""
    kind = f"v{version % 4}"
    for x, number in numbers:
        if number["estimate"] is None:
            continue
        place = f"{float(frame.at(x)) + apart * version:.1f}"
        if number["interval"] is not None:
            low, high = (frame.up(end) for end in number["interval"])
            yield element("line", class_=f"line {kind}", x1=place, x2=place, y1=low, y2=high)
        yield element("circle", class_=f"dot {kind}", cx=place, cy=frame.up(number["estimate"]), r="3.5")
