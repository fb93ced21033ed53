"""What the speed may be: the lines of budget.toml, and whether a figure crosses one."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("budget.toml")


class BudgetError(ValueError):
    """The budget cannot be used; the message names the line."""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One limit.

    most, least: the one or the other. noise: by how much of the limit a figure may be beyond it, as that is how far
    medians of runs on one machine differ. reached: where the limit is not, what is: no figure may be worse than that,
    and each is said to fall short. result: for what `check` has no time to measure, the file in build/ and the keys
    in it, with dots between; null for what it does measure.
    """

    key: str
    what: str
    most: float | None = None
    least: float | None = None
    noise: float
    reached: float | None = None
    result: str | None = None

    @property
    def limit(self) -> str:
        """The limit in print."""
        return f"≥ {self.least:g}" if self.most is None else f"≤ {self.most:g}"

    def crossed(self, found: float) -> bool:
        """Whether a figure is beyond the limit, or beyond what is reached of it, by more than the noise. NaN is."""
        return not self._within(found, self.reached, self.noise)

    def verdict(self, found: tuple[float, ...]) -> str:
        """Of the figures that were found, the last of which counts: what is beyond the limit is never said to hold."""
        if fails(self, found):
            return "CROSSED"
        if self._within(found[-1], None, 0.0):
            return "holds"
        return "within noise" if self.reached is None else "falls short"

    def _within(self, found: float, reached: float | None, noise: float) -> bool:
        if self.most is not None:
            return found <= (self.most if reached is None else reached) * (1 + noise)
        return self.least is not None and found >= (self.least if reached is None else reached) * (1 - noise)


def read(path: Path = FILE) -> list[Line]:
    """The lines of a file. Raises BudgetError, and OSError."""
    try:
        lines = msgspec.convert(tomllib.loads(path.read_text())["line"], list[Line])
    except (KeyError, ValueError) as error:  # msgspec's and tomllib's are ValueErrors
        raise BudgetError(f"{path.name}: {error}") from None
    for line in lines:
        if (line.most is None) == (line.least is None):
            raise BudgetError(f"{path.name}, {line.key}: expected either most or least")
        if line.reached is not None and line._within(line.reached, None, 0.0):  # noqa: SLF001 - of this file
            raise BudgetError(f"{path.name}, {line.key}: {line.reached} is within the limit, so nothing falls short")
        if not 0 <= line.noise < 1:
            raise BudgetError(f"{path.name}, {line.key}: noise {line.noise} is no share of the limit")
    if len({line.key for line in lines}) < len(lines):
        raise BudgetError(f"{path.name}: a key is there twice")
    return lines


def judge(
    lines: Collection[Line], measure: Callable[[Collection[str]], Mapping[str, float]]
) -> dict[str, tuple[float, ...]]:
    """What was found for each line: one figure, or two where the first had crossed the limit.

    `measure` gives a figure for each of the keys it is asked for, and may give more.
    """
    first = measure([line.key for line in lines])
    again = [line.key for line in lines if line.crossed(first[line.key])]
    second = measure(again) if again else {}
    return {
        line.key: (first[line.key], second[line.key]) if line.key in again else (first[line.key],) for line in lines
    }


def fails(line: Line, found: tuple[float, ...]) -> bool:
    """Whether each of the figures crosses the limit."""
    return all(line.crossed(figure) for figure in found)
