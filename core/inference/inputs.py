"""The windows of the stages: computed from candles, or sent by the client."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple, Protocol, Self, TypeAlias

import numpy as np

from core.errors import InsufficientData, InvalidInput
from core.features.candle_keys import candle_key_of_time, candle_key_of_window
from core.features.candles import Candles, Floats
from core.inference.places import CANDLE_PLACES, WINDOW_PLACES, CandlePlaces, WindowPlaces
from core.inference.requirements import InputRequirements, StageInput
from core.inference.warnings import Warned

Rows: TypeAlias = Sequence[Sequence[float]] | Floats

_CANDLE_FIELDS = frozenset({"open", "high", "low", "close", "volume"})


class Windows(Protocol):
    """The windows of several sources."""

    def of(self, stage: str, which: list[int] | None) -> Floats:
        """Return the windows for a stage, float64 of shape (windows, rows, features).

        `stage` is stage1 or stage2. `which`: the indices of the sources; None for all.
        """


class WindowSource(Protocol):
    """The input of one request, from which each stage of a version gets its window."""

    @property
    def kind(self) -> Hashable:
        """A key: sources with equal kinds are of one class and can be gathered together."""

    @property
    def scaled(self) -> bool:
        """Whether the windows are already scaled, so that no scaler runs. It is the same for all sources of a kind."""

    @property
    def by_stage(self) -> bool:
        """Whether the client sent a window for each stage. It is the same for all sources of a kind."""

    @property
    def candles_given(self) -> int | None:
        """The number of candles; None if the windows were not computed from candles."""

    @property
    def opens(self) -> float | None:
        """The opening time of the last candle, in milliseconds since 1970; None if unknown."""

    @property
    def warnings(self) -> tuple[Warned, ...]:
        """Warnings about the input itself, which are the same for every version."""

    def check(self, needs: InputRequirements) -> None:
        """Raise InvalidInput or InsufficientData if this input does not suit the version."""

    def gather(self, sources: Sequence[Self], needs: InputRequirements) -> Windows:
        """Return the windows of several sources of this kind, which have all been checked."""

    def overflow(self, stage: str, needs: InputRequirements, row: int, column: int) -> InvalidInput:
        """Return the error for a value of a stage's window that does not fit into a float32."""

    def place(self, stage: str) -> str:
        """Return the name of a stage's window, or of the candles that it is computed from."""

    def candle_key(self) -> str:
        """Return the key of the last candle (see core.features.candle_keys). Equal inputs have equal keys."""

    def window_key(self) -> str:
        """Return the key of the whole input. Only equal inputs have equal keys."""


class CandleWindows:
    """Windows of features that are computed from a series of candles."""

    scaled = False
    by_stage = False

    def __init__(
        self,
        candles: Candles,
        warnings: tuple[Warned, ...] = (),
        places: CandlePlaces = CANDLE_PLACES,
    ) -> None:
        """`places`: names of the candles for error messages."""
        self.candles = candles
        self.candles_given: int = candles.values.shape[-1]
        self.kind = self.candles_given
        self.opens: float | None = None if candles.times is None else float(candles.times[-1])
        self.warnings = warnings
        self._places = places

    def check(self, needs: InputRequirements) -> None:
        """Raise InsufficientData if there are too few candles, InvalidInput if the version takes none.

        Likewise if the candles have no times, and the version needs them.
        """
        if self.candles_given < needs.required_candles:
            if not needs.takes_candles:
                raise InvalidInput.at(
                    self._places.series,
                    f"version {needs.version} takes ready-made `features` only, not candles; send `features`, or use"
                    " another version",
                )
            raise InsufficientData(needs.version, int(needs.required_candles), self.candles_given, self._places.series)
        if needs.timed and self.candles.times is None:
            raise InvalidInput.at(
                self._places.first_timestamp(),
                f"missing; version {needs.version} computes {', '.join(needs.timed)} from the candles' own times: send"
                " a timestamp with every candle, or use another version",
            )

    def gather(self, sources: Sequence[CandleWindows], needs: InputRequirements) -> Windows:
        """Compute the features of all stages for several series of the same length at once."""
        series = [source.candles for source in sources]
        return _Computed({rows: table(series) for rows, table in needs.tables.items()}, needs)

    def overflow(self, stage: str, needs: InputRequirements, row: int, column: int) -> InvalidInput:
        """Return the error, which names the candle, and also the field if the feature is a field of the candle."""
        rows, features, _ = needs.inputs[stage]
        name, index = features[column], self.candles_given - rows + row
        if name in _CANDLE_FIELDS:
            return InvalidInput.at(
                self._places.field(index, name), f"is too large for {stage}, whose numbers go up to 3.4e38"
            )
        candle = self._places.number(index)
        return InvalidInput.at(
            self._places.series, f"{name} of candle {candle} is too large for {stage}; check the prices up to it"
        )

    def place(self, stage: str) -> str:  # noqa: ARG002 - all stages are computed from the same candles
        """Return the name of the candles."""
        return self._places.series

    def candle_key(self) -> str:
        """Return a key made of the opening time of the last candle or, if that is unknown, of all values."""
        return self.window_key() if self.opens is None else candle_key_of_time(self.opens)

    def window_key(self) -> str:
        """Return a key made of all values."""
        return candle_key_of_window(self.candles.values.tobytes())


class _Computed(NamedTuple):
    """Windows that were computed. `values`: by window length, the features of all stages with that length."""

    values: dict[int, Floats]
    needs: InputRequirements

    def of(self, stage: str, which: list[int] | None) -> Floats:
        rows, _, columns = self.needs.inputs[stage]
        values = self.values[rows]
        if which is not None:
            values = values[which]
        return values.take(columns, axis=2)


class GivenWindows:
    """Windows that the client sent: one for all stages, or one for each stage."""

    candles_given = None
    warnings: tuple[Warned, ...] = ()

    def __init__(
        self,
        windows: Rows | dict[str, Rows],
        *,
        scaled: bool,
        places: WindowPlaces = WINDOW_PLACES,
        opens: float | None = None,
    ) -> None:
        """`opens`: the opening time of the last candle, in milliseconds since 1970; None if unknown.

        places: names of the windows for error messages.
        """
        self.scaled = scaled
        self.opens = opens
        self._places = places
        # By stage; the key None is for all stages. Packing them later than right after decoding takes twice as long.
        if isinstance(windows, dict):
            self.by_stage = True
            self.windows: dict[str | None, _Packed] = {stage: _Packed(rows) for stage, rows in windows.items()}
        else:
            self.by_stage = False
            self.windows = {None: _Packed(windows)}
        self.kind = (scaled, self.by_stage)

    def check(self, needs: InputRequirements) -> None:
        """Raise InvalidInput if a window is missing or has the wrong shape."""
        if self.by_stage:
            for stage, wanted in needs.inputs.items():
                if stage not in self.windows:
                    place = self._places.window(stage)
                    raise InvalidInput.at(place, f"missing; version {needs.version} needs a window for {stage}")
                self._check_shape(stage, wanted)
        elif needs.one_window:
            self._check_shape(None, needs.inputs["stage1"])
        else:
            raise InvalidInput.at(
                self._places.window(None),
                f"must be {self._places.form_by_stage}: the stages of version {needs.version} have their own features"
                " and scalers",
            )

    def _check_shape(self, stage: str | None, wanted: StageInput) -> None:
        rows, width, lengths = wanted.rows, len(wanted.features), self.windows[stage].lengths
        if len(lengths) != rows:
            raise InvalidInput.at(self._places.window(stage), f"must have {rows} rows of {width}, has {len(lengths)}")
        if lengths.count(width) == rows:
            return
        i, length = next((i, length) for i, length in enumerate(lengths) if length != width)
        raise InvalidInput.at(self._places.row(stage, i), f"must have {width} values, has {length}")

    def gather(self, sources: Sequence[GivenWindows], needs: InputRequirements) -> Windows:
        """Return the windows as sent. The array is built when a stage needs it."""
        return _Sent(sources, needs)

    def overflow(self, stage: str, needs: InputRequirements, row: int, column: int) -> InvalidInput:  # noqa: ARG002
        """Return the error, which names the row and the column."""
        place = self._places.value(stage if self.by_stage else None, row, column)
        return InvalidInput.at(place, f"is too large for {stage}, whose numbers go up to 3.4e38")

    def place(self, stage: str) -> str:
        """Return the name of the stage's window, or of the window for all stages."""
        return self._places.window(stage if self.by_stage else None)

    def candle_key(self) -> str:
        """Return the key of the last candle, or of the whole input if the candle's time is unknown."""
        return self.window_key() if self.opens is None else candle_key_of_time(self.opens)

    def window_key(self) -> str:
        """Return a key made of all values. Scaled and raw windows with equal values get different keys."""
        windows = self.windows
        if len(windows) > 1:
            windows = dict(sorted(windows.items(), key=itemgetter(0)))
        values = [packed.data for packed in windows.values()]
        return candle_key_of_window(b"scaled" if self.scaled else b"raw", *values)


class _Packed:
    """The values of a sent window as bytes of float64, and the lengths of its rows."""

    __slots__ = ("data", "lengths")

    def __init__(self, rows: Rows) -> None:
        if isinstance(rows, np.ndarray):
            self.lengths = [rows.shape[1]] * len(rows)
            self.data = rows.tobytes()
        else:
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
