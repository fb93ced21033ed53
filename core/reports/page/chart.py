"""The difference over time as an SVG drawing: the estimate, its interval, zero, and the smallest effect of interest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from core.reports.page.markup import Markup, element
from core.reports.page.rounding import rounded
from core.reports.page.view import Course, Point

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 708, 12, 228
# More points than this are not visible.
MOST_POINTS = 240


def chart(course: Course) -> Markup:
    """The drawing. Its description is the course's summary, for readers who do not see it."""
    points = _thinned(course.points)
    low, high = _range(points, course.effect)
    begin, end = points[0].at, max(points[-1].at, points[0].at + 1)

    def x(at: float) -> str:
        return f"{_LEFT + (at - begin) / (end - begin) * (_RIGHT - _LEFT):.1f}"

    def y(value: float) -> str:
        return f"{_BOTTOM - (min(max(value, low), high) - low) / (high - low) * (_BOTTOM - _TOP):.1f}"

    def band(part: Sequence[Point]) -> Markup:
        known = [(point.at, point.interval) for point in part if point.interval is not None]
        upper = [f"{x(at)},{y(ends[1])}" for at, ends in known]
        lower = [f"{x(at)},{y(ends[0])}" for at, ends in reversed(known)]
        kind = "band" if part[0].valid else "band early"
        return element("polygon", class_=kind, points=" ".join(upper + lower))

    step = axis_step(high - low)
    ticks = [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return element(
        "svg",
        element("title", course.title, id="course-title"),
        element("desc", course.summary, id="course-summary"),
        *(_level(y(tick), "grid") for tick in ticks),
        *(
            element("text", rounded(tick, 10 * step, signed=True), class_="tick", x=str(_LEFT - 8), y=y(tick), dy="4")
            for tick in ticks
        ),
        *(_level(y(effect), "effect") for effect in (course.effect, -course.effect) if low <= effect <= high),
        _level(y(0.0), "zero"),
        *map(band, _parts(points)),
        element("polyline", class_="line", points=" ".join(f"{x(at)},{y(value)}" for at, value, *_ in points)),
        element("circle", class_="now", cx=x(points[-1].at), cy=y(points[-1].estimate), r="4"),
        element("text", _date(begin, end - begin), class_="from", x=str(_LEFT), y=str(HEIGHT - 8)),
        element("text", _date(end, end - begin), class_="to", x=str(_RIGHT), y=str(HEIGHT - 8)),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_labelledby="course-title course-summary",
    )


def _level(y: str, kind: str) -> Markup:
    return element("line", class_=kind, x1=str(_LEFT), x2=str(_RIGHT), y1=y, y2=y)


def _thinned(points: Sequence[Point]) -> list[Point]:
    """At most MOST_POINTS of the points, with the last one."""
    every = math.ceil(len(points) / MOST_POINTS)
    return list(points[::-1][::every])[::-1]


def _parts(points: Sequence[Point]) -> Iterator[list[Point]]:
    """The points whose intervals count, and those whose intervals do not yet; each part reaches to the next one."""
    begin = 0
    for end in range(1, len(points) + 1):
        if end == len(points) or points[end].valid != points[begin].valid:
            yield list(points[begin : end + 1])
            begin = end


def _range(points: Sequence[Point], effect: float) -> tuple[float, float]:
    """Lower and upper end of the axis. Early intervals are so wide that they would hide the rest; they are cut off."""
    late = [point.interval for point in points[len(points) // 2 :] if point.interval is not None]
    values = [0.0, -effect, effect, *(end for interval in late for end in interval), points[-1].estimate]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def axis_step(span: float) -> float:
    """The distance of ticks: 1, 2 or 5 times a power of ten, for three to seven of them."""
    power = 10.0 ** math.floor(math.log10(max(span / 3, 1e-300)))
    return max(power * factor for factor in (1, 2, 5) if power * factor <= span / 3 or factor == 1)


def _date(at: float, span: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    short = f"{moment.day} {moment:%b %Y}"
    return f"{short}, {moment:%H:%M}" if span < 3 * 24 * 3600 else short
