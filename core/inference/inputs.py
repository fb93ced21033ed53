"""Where stages' windows come from: computed from candles, or sent by the client."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Sequence
from itertools import chain
from typing import Protocol, Self, TypeAlias

import numpy as np

from core.bundles.manifest import Manifest, Stage
from core.errors import InsufficientData, InvalidInput
from core.features.candle_keys import candle_key_of_time, candle_key_of_window
from core.features.candles import Candles, Floats
from core.features.table import Table
from core.inference.warnings import Warned

Rows: TypeAlias = Sequence[Sequence[float]]

_CANDLE_FIELDS = frozenset({"open", "high", "low", "close", "volume"})


class InputRequirements:
    """What a version needs of whom it answers. Safe to use from several threads."""

    def __init__(self, manifest: Manifest) -> None:
        self.version = manifest.version
        self.stages = manifest.stages
        self.required_candles = manifest.required_candles
        # Whether one window serves all stages there are.
        self.one_window = manifest.stage2 is None or manifest.stage1.takes_same_window(manifest.stage2)
        # Stages of the same length share what they compute alike.
        names: dict[int, list[str]] = {}
        for stage in self.stages.values():
            names.setdefault(stage.sequence_length, []).extend(stage.features)
        self.tables = {length: Table(of_length, length) for length, of_length in names.items()}
        self.columns = {
            label: self.tables[stage.sequence_length].columns(stage.features) for label, stage in self.stages.items()
        }


class Windows(Protocol):
    """The windows of several sources."""

    def of(self, label: str, stage: Stage, which: list[int] | None) -> Floats:
        """Float64, shape (windows, stage.sequence_length, stage.num_features), of these sources, or of all.

        `label` is stage1 or stage2.
        """


class WindowSource(Protocol):
    """One request's input, from which each stage of a version takes its own window."""

    @property
    def kind(self) -> Hashable:
        """Sources that agree in this are of one class and can be gathered together."""

    @property
    def scaled(self) -> bool:
        """Whether the windows are already what the network takes, so that no scaler runs. Common to a kind."""

    @property
    def by_stage(self) -> bool:
        """Whether stages have windows of their own even where one would serve all. Common to a kind."""

    @property
    def candles_given(self) -> int | None:
        """The number of candles; null where the windows did not come from candles."""

    @property
    def opens(self) -> float | None:
        """When the last candle opens, in milliseconds since 1970; null where that is not known."""

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """Those of the input alone, the same for every version."""

    def check(self, needs: InputRequirements) -> None:
        """Raise InvalidInput or InsufficientData where this cannot serve the version."""

    def gather(self, sources: Sequence[Self], needs: InputRequirements) -> Windows:
        """The windows of sources of this one's kind, all of them checked."""

    def overflow(self, label: str, stage: Stage, row: int, column: int) -> InvalidInput:
        """The error for a value of a stage's window that does not fit the network's float32."""

    def place(self, label: str) -> str:
        """Where in the request a stage's window, or what it is computed from, stands."""

    def candle_key(self) -> str:
        """What the last candle is known by (see core.experiments.records): the same for all who send the same."""


class CandleWindows:
    """Windows over the features of a candle series."""

    scaled = False
    by_stage = False

    def __init__(
        self,
        candles: Candles,
        positions: Sequence[int] | None = None,
        opens: float | None = None,
        warnings: tuple[Warned, ...] = (),
    ) -> None:
        """`positions[i]` is where candle i stood in the request, if that was not in order of time.

        `opens`: when the last candle opens, in milliseconds since 1970, if that is known.
        """
        self.candles = candles
        self.candles_given = len(candles)
        self.kind = self.candles_given
        self.opens = opens
        self.warnings = warnings
        self._positions = positions

    def check(self, needs: InputRequirements) -> None:
        """Raise InsufficientData where the candles are too few."""
        if self.candles_given < needs.required_candles:
            raise InsufficientData(needs.version, needs.required_candles, self.candles_given)

    def gather(self, sources: Sequence[CandleWindows], needs: InputRequirements) -> Windows:
        """The last bars of all features that any stage names, for series of the same length at once."""
        return _Computed([source.candles for source in sources], needs)

    def overflow(self, label: str, stage: Stage, row: int, column: int) -> InvalidInput:
        """Name the candle, and the field where the feature is one."""
        name = stage.features[column]
        index = self.candles_given - stage.sequence_length + row
        if name not in _CANDLE_FIELDS:
            return InvalidInput.at("data", f"{name} at candle {self._position(index)} overflows in {label}")
        return InvalidInput.at(f"data[{self._position(index)}].{name}", f"too large for {label}")

    def place(self, label: str) -> str:  # noqa: ARG002 - all stages are computed from the same candles
        """The candles."""
        return "data"

    def candle_key(self) -> str:
        """By the time of the last candle, else by all values."""
        if self.opens is not None:
            return candle_key_of_time(self.opens)
        return candle_key_of_window(self.candles.values.tobytes())

    def _position(self, index: int) -> int:
        return index if self._positions is None else self._positions[index]


class _Computed:
    def __init__(self, series: Sequence[Candles], needs: InputRequirements) -> None:
        self._values = {length: table(series) for length, table in needs.tables.items()}
        self._columns = needs.columns

    def of(self, label: str, stage: Stage, which: list[int] | None) -> Floats:
        values = self._values[stage.sequence_length]
        if which is not None:
            values = values[which]
        return values.take(self._columns[label], axis=2)


class GivenWindows:
    """Windows that the client computed: one for all stages, or one a stage."""

    candles_given = None
    opens = None
    warnings: tuple[Warned, ...] = ()

    def __init__(self, windows: Rows | dict[str, Rows], *, scaled: bool, path: str = "features") -> None:
        """`path` is where the windows stand in the request."""
        self.scaled = scaled
        self.by_stage = isinstance(windows, dict)
        self.kind = (scaled, self.by_stage)
        self._path = path
        # Packed at once, while the numbers are at hand, which takes half of what it does later.
        self._windows = (
            {label: _Packed(rows) for label, rows in windows.items()} if isinstance(windows, dict) else _Packed(windows)
        )

    def check(self, needs: InputRequirements) -> None:
        """Raise InvalidInput where a window is missing or of another shape."""
        stages = needs.stages
        if not isinstance(self._windows, dict):
            if not needs.one_window:
                raise InvalidInput.at(
                    self._path,
                    f"the stages of version {needs.version} have their own features and scalers:"
                    ' expected {"stage1": [[...]], "stage2": [[...]]}',
                )
            _check_shape(self._windows, stages["stage1"], self._path)
            return
        for label, stage in stages.items():
            if label not in self._windows:
                raise InvalidInput.at(f"{self._path}.{label}", f"missing, version {needs.version} has this stage")
            _check_shape(self._windows[label], stage, f"{self._path}.{label}")

    def gather(self, sources: Sequence[GivenWindows], needs: InputRequirements) -> Windows:  # noqa: ARG002 - check knew them
        """The windows as sent; an array is made where a stage asks for them."""
        return _Sent(sources)

    def packed(self, label: str) -> bytes:
        """One stage's window as float64, row by row."""
        return self._windows[label].data if isinstance(self._windows, dict) else self._windows.data

    def overflow(self, label: str, stage: Stage, row: int, column: int) -> InvalidInput:  # noqa: ARG002
        """Name the row and column."""
        return InvalidInput.at(f"{self.place(label)}[{row}][{column}]", f"too large for {label}")

    def place(self, label: str) -> str:
        """The window of that stage, or of all."""
        return f"{self._path}.{label}" if self.by_stage else self._path

    def candle_key(self) -> str:
        """By all values; scaled and raw ones are of different candles."""
        windows = self._windows
        data = (
            windows.data if isinstance(windows, _Packed) else b"".join(windows[label].data for label in sorted(windows))
        )
        return candle_key_of_window((b"scaled" if self.scaled else b"raw") + data)


class _Packed:
    """A window that was sent, as an array takes it, and how long its rows were."""

    __slots__ = ("data", "lengths")

    def __init__(self, rows: Rows) -> None:
        self.lengths = [len(row) for row in rows]
        self.data = struct.pack(f"{sum(self.lengths)}d", *chain.from_iterable(rows))


class _Sent:
    def __init__(self, sources: Sequence[GivenWindows]) -> None:
        self._sources = sources

    def of(self, label: str, stage: Stage, which: list[int] | None) -> Floats:
        sources = self._sources if which is None else [self._sources[k] for k in which]
        values = np.frombuffer(b"".join([source.packed(label) for source in sources]))
        return values.reshape(len(sources), stage.sequence_length, stage.num_features)


def _check_shape(window: _Packed, stage: Stage, path: str) -> None:
    width, lengths = stage.num_features, window.lengths
    if len(lengths) != stage.sequence_length:
        raise InvalidInput.at(path, f"expected {stage.sequence_length} rows of {width}, got {len(lengths)}")
    if lengths.count(width) == len(lengths):
        return
    i, length = next((i, length) for i, length in enumerate(lengths) if length != width)
    raise InvalidInput.at(f"{path}[{i}]", f"expected {width} values, got {length}")
