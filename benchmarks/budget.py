"""The limits of the server's speed: the lines of budget.toml, and whether a figure crosses one."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("budget.toml")


class BudgetError(ValueError):
    """The budget is invalid; the message names the line."""


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One limit.

    most, least: the limit; exactly one of them is set.
    noise: how far a figure may be beyond the limit, as a share of it; medians on one machine differ by that much.
    reached: the value that the code reaches if it does not reach the limit; no figure may be worse than that.
    result: the file in build/ and the keys in it, joined with dots, that hold the figure; null if `check` measures it.
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
        """Return the limit with its sign, for tables."""
        return f"≥ {self.least:g}" if self.most is None else f"≤ {self.most:g}"

    def crossed(self, found: float) -> bool:
        """Return whether a figure is beyond `reached`, or else the limit, by more than the noise. NaN is beyond it."""
        return not self._within(found, self.reached, self.noise)

    def verdict(self, found: tuple[float, ...]) -> str:
        """Return the verdict on the last figure. It is never "holds" if the figure is beyond the limit."""
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
    """Read the lines of a file. Raises BudgetError if it is invalid, OSError if it cannot be read."""
    try:
        lines = msgspec.convert(tomllib.loads(path.read_text())["line"], list[Line])
    except KeyError:
        raise BudgetError(f"{path.name}: expected at least one [[line]]") from None
    except ValueError as error:  # the errors of msgspec and tomllib are ValueErrors
        raise BudgetError(f"{path.name}: {error}") from None
    for line in lines:
        if (line.most is None) == (line.least is None):
            raise BudgetError(f"{path.name}, {line.key}: expected exactly one of most and least")
        if line.reached is not None and line._within(line.reached, None, 0.0):  # noqa: SLF001 - of this file
            raise BudgetError(
                f"{path.name}, {line.key}: reached is {line.reached}, which is within the limit; remove it"
            )
        if not 0 <= line.noise < 1:
            raise BudgetError(f"{path.name}, {line.key}: noise is {line.noise}, expected a share from 0 to less than 1")
    if len({line.key for line in lines}) < len(lines):
        raise BudgetError(f"{path.name}: a key occurs more than once")
    return lines


def judge(
    lines: Collection[Line], measure: Callable[[Collection[str]], Mapping[str, float]]
) -> dict[str, tuple[float, ...]]:
    """Return the figures of each line: one, or two if the first one crosses the limit.

    `measure` returns a figure for each key that it is given, and possibly for further keys.
    """
    first = measure([line.key for line in lines])
    again = [line.key for line in lines if line.crossed(first[line.key])]
    second = measure(again) if again else {}
    return {
        line.key: (first[line.key], second[line.key]) if line.key in again else (first[line.key],) for line in lines
    }


def fails(line: Line, found: tuple[float, ...]) -> bool:
    """Return whether all figures of a line cross the limit."""
    return all(line.crossed(figure) for figure in found)
