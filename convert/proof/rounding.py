"""How far a graph may be from its framework at a window: as far as rounding explains, and no further.

Both compute in float32, in another order of sums. Where a network amplifies rounding, as relu cells do with raw prices,
two right results differ by more than TOLERANCE. There the limit is FACTOR times the framework's own distance from the
same network in float64. A wrong graph is at another distance: it is refused at the windows where little is rounded.

One distance can be small by chance: of two right results that round alike in size, 16 % are more than four times as far
from each other as the first is from the truth. So where the distance at a window does not explain the difference, the
largest of those at NEIGHBOURS windows counts too, whose values are at most one rounding away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused

TOLERANCE = 1e-5
FACTOR = 4.0
NEIGHBOURS = 15
# No limit is wider. It is also the smallest spread of outputs that proves anything: a difference of that size would
# hide what distinguishes one window from another.
CEILING = 1e-3
# Windows at which graph and framework agree. The network in float64 must agree there as well.
_CALM = 64
_CHUNK = 64
_SEED = 20171231

Floats32: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]
# Outputs (batch, columns) for windows (batch, steps, features).
Predict: TypeAlias = Callable[[Floats32], Floats32]
Exact: TypeAlias = Callable[[Floats32], Floats]


class Allowed(NamedTuple):
    """The largest difference that is allowed at each window, and what widened it.

    distances: of the framework from float64, NaN where they were not needed. reason: why no limit could be wider.
    """

    values: Floats
    distances: Floats
    reason: str | None

    def about(self, i: int) -> str:
        """What to add to the refusal of a window: nothing, or a clause about rounding."""
        if self.reason is not None:
            return f"; a wider limit is not possible: {self.reason}"
        if np.isnan(self.distances[i]):
            return ""
        distance = f"; the framework itself is {self.distances[i]:.2g} from the same network in float64"
        if FACTOR * self.distances[i] <= CEILING:
            return distance
        return f"{distance}, and where rounding alone does that much, agreement proves nothing; scale the inputs"


class Rounding:
    """The limits of one network. Float64 is computed only for windows that differ by more than TOLERANCE.

    predict: the framework's outputs. in_float64: makes the same function of the network in float64, or raises Refused.
    """

    def __init__(self, predict: Predict, in_float64: Callable[[], Exact], mask_values: tuple[float, ...]) -> None:
        self._predict, self._in_float64 = predict, in_float64
        self._mask_values = np.array(mask_values, np.float32)
        self._exact: Exact | None = None
        self._reason: str | None = None
        self._calm: list[tuple[Floats32, Floats32]] = []
        self._largest, self._widest, self._windows = 0.0, TOLERANCE, 0

    def limits(self, windows: Floats32, expected: Floats32, difference: Floats) -> Allowed:
        """The limits of windows (batch, steps, features), from the framework's outputs (batch, columns).

        difference: of the graph from the framework, (batch,), of the column with the largest.
        """
        found = Allowed(np.full(len(windows), TOLERANCE), np.full(len(windows), np.nan), None)
        calm = np.flatnonzero(difference <= TOLERANCE)[:_CALM]
        self._calm.append((windows[calm], expected[calm]))
        beyond = np.flatnonzero((difference > TOLERANCE) & np.isfinite(difference))
        if not len(beyond):
            return found
        try:
            if self._reason is None:
                self._widen(found, beyond, windows, expected, difference)
        except Refused as error:
            self._reason = str(error)
        if self._reason is not None:
            return Allowed(np.full(len(windows), TOLERANCE), found.distances, self._reason)
        self._windows += len(beyond)
        self._largest = max(self._largest, float(np.nanmax(found.distances[beyond], initial=0.0)))
        self._widest = max(self._widest, float(found.values.max()))
        return found

    def figures(self) -> dict[str, Any]:
        """What was computed in float64; empty if no window needed it.

        Windows beyond TOLERANCE, the framework's largest distance from float64 there, and the widest limit.
        """
        if not self._windows:
            return {}
        return {
            "windows_beyond_tolerance": self._windows,
            "framework_distance": self._largest,
            "widest_limit": self._widest,
        }

    def _widen(
        self, found: Allowed, beyond: NDArray[np.intp], windows: Floats32, expected: Floats32, difference: Floats
    ) -> None:
        """Widen the limits of the windows `beyond` as far as the framework's distances allow."""
        if self._exact is None:
            exact = self._in_float64()
            self._check_same(exact)
            self._exact = exact
        found.distances[beyond] = self._distances(self._exact, windows[beyond], expected[beyond])
        found.values[beyond] = _limit(found.distances[beyond])
        unexplained = beyond[difference[beyond] > found.values[beyond]]
        for first in range(0, len(unexplained), _CHUNK):
            chosen = unexplained[first : first + _CHUNK]
            nearby = self._nearby(self._exact, windows[chosen])
            found.distances[chosen] = np.fmax(found.distances[chosen], nearby)
            found.values[chosen] = _limit(found.distances[chosen])
            if (difference[chosen] > found.values[chosen]).any():  # one refused window is enough
                break

    def _check_same(self, exact: Exact) -> None:
        """Raise Refused unless the network in float64 agrees where the graph and the framework do."""
        windows, expected = (np.concatenate(each) for each in zip(*self._calm, strict=True))
        if not len(windows):
            raise Refused("the graph agrees with the framework at no window, so rounding is not what differs")
        distance = float(np.median(self._distances(exact, windows, expected)))
        if not distance <= TOLERANCE:
            raise Refused(f"the network in float64 answers otherwise, by {distance:.2g} at half of the windows")

    def _nearby(self, exact: Exact, windows: Floats32) -> Floats:
        """The largest distance of each window's neighbours."""
        moves = np.random.default_rng(_SEED).integers(-1, 2, (NEIGHBOURS, *windows.shape))
        moved = windows * (1.0 + moves * float(np.finfo(np.float32).eps))
        # A value that masks its step stays as it is.
        kept = np.isin(windows, self._mask_values)
        near = np.where(kept, windows, moved).astype(np.float32).reshape(-1, *windows.shape[1:])
        found = self._distances(exact, near, self._predict(near))
        return np.asarray(np.nanmax(found.reshape(NEIGHBOURS, -1), axis=0, initial=0.0))

    def _distances(self, exact: Exact, windows: Floats32, expected: Floats32) -> Floats:
        try:
            found = exact(windows)
        except Exception as error:  # noqa: BLE001 - a framework raises any error of its layers
            raise Refused(f"the network cannot run in float64 ({type(error).__name__})") from None
        if found.shape != expected.shape or found.dtype != np.float64:
            raise Refused(f"the network in float64 gives {found.dtype} {found.shape}")
        return np.asarray(np.abs(expected - found).max(axis=1))


def notes(figures: dict[str, Any], framework: str) -> list[str]:
    """The sentence of the report on windows with a wider limit; none if there were none."""
    if "framework_distance" not in figures:
        return []
    count, largest, distance, widest = (
        figures[key] for key in ("windows_beyond_tolerance", "max_difference", "framework_distance", "widest_limit")
    )
    where = f"{count} windows differ by more than {TOLERANCE:g}, at most {largest:.2g}"
    return [f"{where}; there {framework} itself is up to {distance:.2g} from float64 (widest limit {widest:.2g})"]


def _limit(distances: Floats) -> Floats:
    return np.clip(np.fmax(FACTOR * distances, TOLERANCE), TOLERANCE, CEILING)
