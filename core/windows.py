"""Where a stage's window comes from: computed from candles, or sent by the client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec
import numpy as np

from core import features
from core.candles import Candles, Floats
from core.errors import InsufficientData, InvalidInput
from core.exposures import candle_key_of_time, candle_key_of_window
from core.indicators import Indicators
from core.manifest import Manifest, Stage

Rows: TypeAlias = Sequence[Sequence[float]]

_CANDLE_FIELDS = frozenset({"open", "high", "low", "close", "volume"})


class WindowSource(Protocol):
    """One request's input, from which each stage of a version takes its own window."""

    @property
    def scaled(self) -> bool:
        """Whether the windows are already what the network takes, so that no scaler runs."""

    @property
    def candles_given(self) -> int | None:
        """The number of candles; null where the windows did not come from candles."""

    def check(self, manifest: Manifest, required_candles: int) -> None:
        """Raise InvalidInput or InsufficientData where this cannot serve the version."""

    def window(self, label: str, stage: Stage) -> Floats:
        """Float64, shape (stage.sequence_length, stage.num_features); `label` is stage1 or stage2."""

    def overflow(self, label: str, stage: Stage, row: int, column: int) -> InvalidInput:
        """The error for a value of that window that does not fit the network's float32."""

    def candle_key(self) -> str:
        """What the last candle is known by (see core.exposures): the same for all who send the same."""


class CandleWindows:
    """Windows over the indicators of a candle series. Stages and versions share what they compute alike."""

    scaled = False

    def __init__(
        self, candles: Candles, positions: Sequence[int] | None = None, last_begins: float | None = None
    ) -> None:
        """`positions[i]` is where candle i stood in the request, if that was not in order of time.

        `last_begins`: the time of the last candle in milliseconds since 1970, if it has one.
        """
        self._candles = candles
        self._indicators = Indicators(candles)
        self._positions = positions
        self._last_begins = last_begins
        self.candles_given = len(candles)

    def check(self, manifest: Manifest, required_candles: int) -> None:
        """Raise InsufficientData where the candles are too few."""
        if self.candles_given < required_candles:
            raise InsufficientData(manifest.version, required_candles, self.candles_given)

    def window(self, label: str, stage: Stage) -> Floats:  # noqa: ARG002 - every stage sees the same candles
        """The last bars of the features that the stage names."""
        return features.matrix(self._indicators, stage.features, stage.sequence_length)

    def overflow(self, label: str, stage: Stage, row: int, column: int) -> InvalidInput:
        """Name the candle, and the field where the feature is one."""
        name = stage.features[column]
        index = self.candles_given - stage.sequence_length + row
        if name not in _CANDLE_FIELDS:
            return InvalidInput.at("data", f"{name} at candle {self._position(index)} overflows in {label}")
        return InvalidInput.at(f"data[{self._position(index)}].{name}", f"too large for {label}")

    def candle_key(self) -> str:
        """By the time of the last candle, else by all values."""
        if self._last_begins is not None:
            return candle_key_of_time(self._last_begins)
        c = self._candles
        return candle_key_of_window(b"".join(x.tobytes() for x in (c.open, c.high, c.low, c.close, c.volume)))

    def _position(self, index: int) -> int:
        return index if self._positions is None else self._positions[index]


class GivenWindows:
    """Windows that the client computed: one for all stages, or one a stage."""

    candles_given = None

    def __init__(self, windows: Rows | dict[str, Rows], *, scaled: bool, path: str = "features") -> None:
        """`path` is where the windows stand in the request."""
        self.scaled = scaled
        self._windows = windows
        self._path = path

    def check(self, manifest: Manifest, required_candles: int) -> None:  # noqa: ARG002 - no candles are needed
        """Raise InvalidInput where a window is missing or of another shape."""
        if not isinstance(self._windows, dict):
            if manifest.stage2 is not None and not manifest.stage1.takes_same_window(manifest.stage2):
                raise InvalidInput.at(
                    self._path,
                    f"the stages of version {manifest.version} have their own features and scalers:"
                    ' expected {"stage1": [[...]], "stage2": [[...]]}',
                )
            _check_shape(self._windows, manifest.stage1, self._path)
            return
        for label, stage in manifest.stages.items():
            if label not in self._windows:
                raise InvalidInput.at(f"{self._path}.{label}", f"missing, version {manifest.version} has this stage")
            _check_shape(self._windows[label], stage, f"{self._path}.{label}")

    def window(self, label: str, stage: Stage) -> Floats:  # noqa: ARG002 - the label alone tells which
        """The rows as sent; check has compared their shape."""
        rows = self._windows[label] if isinstance(self._windows, dict) else self._windows
        return np.array(rows, dtype=np.float64)

    def overflow(self, label: str, stage: Stage, row: int, column: int) -> InvalidInput:  # noqa: ARG002
        """Name the row and column."""
        path = f"{self._path}.{label}" if isinstance(self._windows, dict) else self._path
        return InvalidInput.at(f"{path}[{row}][{column}]", f"too large for {label}")

    def candle_key(self) -> str:
        """By all values; scaled and raw ones are of different candles."""
        return candle_key_of_window(msgspec.msgpack.encode((self.scaled, self._windows)))


def _check_shape(rows: Rows, stage: Stage, path: str) -> None:
    if len(rows) != stage.sequence_length:
        raise InvalidInput.at(path, f"expected {stage.sequence_length} rows of {stage.num_features}, got {len(rows)}")
    for i, row in enumerate(rows):
        if len(row) != stage.num_features:
            raise InvalidInput.at(f"{path}[{i}]", f"expected {stage.num_features} values, got {len(row)}")
