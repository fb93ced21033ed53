"""Where stages' windows come from: computed from candles, or sent by the client."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.bundles.manifest import Manifest
from core.errors import InsufficientData, InvalidInput
from core.features.candle_keys import candle_key_of_time, candle_key_of_window
from core.features.candles import Candles, Floats
from core.features.table import Table
from core.inference.places import CANDLE_PLACES, WINDOW_PLACES, CandlePlaces, WindowPlaces
from core.inference.warnings import Warned

Rows: TypeAlias = Sequence[Sequence[float]]

_CANDLE_FIELDS = frozenset({"open", "high", "low", "close", "volume"})


class StageInput(NamedTuple):
    """The window that a stage takes: `rows` bars of `features`, which stand in `columns` of the table of its length."""

    rows: int
    features: tuple[str, ...]
    columns: NDArray[np.intp]


class InputRequirements:
    """Input requirements of one version. Safe to use from several threads."""

    def __init__(self, manifest: Manifest) -> None:
        self.version = manifest.version
        self.required_candles = manifest.required_candles
        # Whether one window serves all stages there are.
        self.one_window = manifest.stage2 is None or manifest.stage1.takes_same_window(manifest.stage2)
        # Stages of the same length share what they compute alike.
        names: dict[int, list[str]] = {}
        for stage in manifest.stages.values():
            names.setdefault(stage.sequence_length, []).extend(stage.features)
        self.tables = {rows: Table(of_length, rows) for rows, of_length in names.items()}
        self.inputs: dict[str, StageInput] = {}  # by stage
        for label, stage in manifest.stages.items():
            rows, features = stage.sequence_length, stage.features
            self.inputs[label] = StageInput(rows, features, self.tables[rows].columns(features))


class Windows(Protocol):
    """The windows of several sources."""

    def of(self, stage: str, which: list[int] | None) -> Floats:
        """Float64, shape (windows, rows, features) as the stage takes them, of these sources, or of all.

        `stage` is stage1 or stage2.
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

    def overflow(self, stage: str, needs: InputRequirements, row: int, column: int) -> InvalidInput:
        """The error for a value of a stage's window that does not fit the network's float32."""

    def place(self, stage: str) -> str:
        """The name of a stage's window, or of what it is computed from."""

    def candle_key(self) -> str:
        """What the last candle is known by (see core.features.candle_keys): the same for all who send the same."""


class CandleWindows:
    """Windows over the features of a candle series."""

    scaled = False
    by_stage = False

    def __init__(
        self,
        candles: Candles,
        opens: float | None = None,
        warnings: tuple[Warned, ...] = (),
        places: CandlePlaces = CANDLE_PLACES,
    ) -> None:
        """`opens`: when the last candle opens, in milliseconds since 1970, if that is known.

        places: what errors call the candles.
        """
        self.candles = candles
        self.candles_given: int = candles.values.shape[-1]
        self.kind = self.candles_given
        self.opens = opens
        self.warnings = warnings
        self._places = places

    def check(self, needs: InputRequirements) -> None:
        """Raise InsufficientData where the candles are too few."""
        if self.candles_given < needs.required_candles:
            raise InsufficientData(needs.version, needs.required_candles, self.candles_given, self._places.series)

    def gather(self, sources: Sequence[CandleWindows], needs: InputRequirements) -> Windows:
        """The last bars of all features that any stage names, for series of the same length at once."""
        series = [source.candles for source in sources]
        return _Computed({rows: table(series) for rows, table in needs.tables.items()}, needs)

    def overflow(self, stage: str, needs: InputRequirements, row: int, column: int) -> InvalidInput:
        """Name the candle, and the field where the feature is one."""
        rows, features, _ = needs.inputs[stage]
        name, index = features[column], self.candles_given - rows + row
        if name in _CANDLE_FIELDS:
            return InvalidInput.at(self._places.field(index, name), f"too large for {stage}")
        candle = self._places.number(index)
        return InvalidInput.at(self._places.series, f"{name} at candle {candle} overflows in {stage}")

    def place(self, stage: str) -> str:  # noqa: ARG002 - all stages are computed from the same candles
        """The candles."""
        return self._places.series

    def candle_key(self) -> str:
        """By the time of the last candle, else by all values."""
        if self.opens is not None:
            return candle_key_of_time(self.opens)
        return candle_key_of_window(self.candles.values.tobytes())


class _Computed(NamedTuple):
    """`values`: by the rows of a window, the features of all stages that take so many."""

    values: dict[int, Floats]
    needs: InputRequirements

    def of(self, stage: str, which: list[int] | None) -> Floats:
        rows, _, columns = self.needs.inputs[stage]
        values = self.values[rows]
        if which is not None:
            values = values[which]
        return values.take(columns, axis=2)


class GivenWindows:
    """Windows that the client computed: one for all stages, or one a stage."""

    candles_given = None
    opens = None
    warnings: tuple[Warned, ...] = ()

    def __init__(self, windows: Rows | dict[str, Rows], *, scaled: bool, places: WindowPlaces = WINDOW_PLACES) -> None:
        """`places`: what errors call the windows."""
        self.scaled = scaled
        self._places = places
        # By stage, or under null the one for all. Packed at once, while the numbers are at hand, which takes half of
        # what it does later.
        self.windows: dict[str | None, _Packed]
        if isinstance(windows, dict):
            self.by_stage = True
            self.windows = {stage: _Packed(rows) for stage, rows in windows.items()}
        else:
            self.by_stage = False
            self.windows = {None: _Packed(windows)}
        self.kind = (scaled, self.by_stage)

    def check(self, needs: InputRequirements) -> None:
        """Raise InvalidInput where a window is missing or of another shape."""
        if self.by_stage:
            for stage, wanted in needs.inputs.items():
                if stage not in self.windows:
                    place = self._places.window(stage)
                    raise InvalidInput.at(place, f"missing, version {needs.version} has this stage")
                self._check_shape(stage, wanted)
        elif needs.one_window:
            self._check_shape(None, needs.inputs["stage1"])
        else:
            raise InvalidInput.at(
                self._places.window(None),
                f"the stages of version {needs.version} have their own features and scalers:"
                f" expected {self._places.form_by_stage}",
            )

    def _check_shape(self, stage: str | None, wanted: StageInput) -> None:
        rows, width, lengths = wanted.rows, len(wanted.features), self.windows[stage].lengths
        if len(lengths) != rows:
            raise InvalidInput.at(self._places.window(stage), f"expected {rows} rows of {width}, got {len(lengths)}")
        if lengths.count(width) == rows:
            return
        i, length = next((i, length) for i, length in enumerate(lengths) if length != width)
        raise InvalidInput.at(self._places.row(stage, i), f"expected {width} values, got {length}")

    def gather(self, sources: Sequence[GivenWindows], needs: InputRequirements) -> Windows:
        """The windows as sent; an array is made where a stage asks for them."""
        return _Sent(sources, needs)

    def overflow(self, stage: str, needs: InputRequirements, row: int, column: int) -> InvalidInput:  # noqa: ARG002
        """Name the row and column."""
        place = self._places.value(stage if self.by_stage else None, row, column)
        return InvalidInput.at(place, f"too large for {stage}")

    def place(self, stage: str) -> str:
        """The window of that stage, or of all."""
        return self._places.window(stage if self.by_stage else None)

    def candle_key(self) -> str:
        """By all values; scaled and raw ones are of different candles."""
        values = [packed.data for _, packed in sorted(self.windows.items(), key=itemgetter(0))]
        return candle_key_of_window(b"".join([b"scaled" if self.scaled else b"raw", *values]))


class _Packed:
    """A window that was sent, as an array takes it, and how long its rows were."""

    __slots__ = ("data", "lengths")

    def __init__(self, rows: Rows) -> None:
        self.lengths = [len(row) for row in rows]
        self.data = struct.pack(f"{sum(self.lengths)}d", *chain.from_iterable(rows))


class _Sent(NamedTuple):
    sources: Sequence[GivenWindows]
    needs: InputRequirements

    def of(self, stage: str, which: list[int] | None) -> Floats:
        sources = self.sources if which is None else [self.sources[k] for k in which]
        key = stage if sources[0].by_stage else None
        values = np.frombuffer(b"".join([source.windows[key].data for source in sources]))
        rows, features, _ = self.needs.inputs[stage]
        return values.reshape(len(sources), rows, len(features))
