"""Detectors in this process, without a server: for research, notebooks and tests. The answers are the service's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.bundles.manifest import Direction, Manifest
from core.bundles.repository import Repository
from core.bundles.windows import MOST
from core.errors import InvalidInput, ServiceError
from core.features.timeframes import iso
from core.inference.decision import Signal
from core.inference.detector import Detector, Prediction
from core.inference.explaining import BACKGROUND, Explanation, explain
from core.inference.history import CODES, HistoryAnswers, answer_history
from core.inference.inputs import CandleWindows
from core.inference.warnings import Warned
from reversal.frames import CandleHistory, Table, history
from server.api.schemas.predictions import DEFAULT_TIMEFRAME, Stamp
from server.cpus import available
from server.settings import INSTALLED

# By the numbers of core.inference.history; the last one is that of UNKNOWN, which is -1.
_SIGNALS = np.array([*CODES, None], dtype=object)


class Answer(NamedTuple):
    """What the service answers for the last candle. candle_time: when it opened; None without timestamps."""

    signal: Signal
    confidence: float
    stage1_prob: float
    stage2_prob: float | None
    direction: Direction | None
    model_version: str
    candle_time: str | None
    warnings: tuple[Warned, ...]


class OfflineDetector:
    """A loaded version. Safe to use from several threads."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    @property
    def detector(self) -> Detector:
        """What answers, without tables."""
        return self._detector

    def __repr__(self) -> str:
        return f"<detector {self.manifest.version}: {self.manifest.name}>"

    @property
    def manifest(self) -> Manifest:
        """The version's metadata: features, threshold, metrics."""
        return self._detector.manifest

    @property
    def required_candles(self) -> int:
        """The smallest number of candles for an answer."""
        return self._detector.required_candles

    @property
    def recommended_candles(self) -> int:
        """The number of candles from which on more of them change nothing."""
        return self._detector.recommended_candles

    def predict(self, candles: Table, timeframe: str = DEFAULT_TIMEFRAME, timestamps: Stamp | None = None) -> Answer:
        """The answer of the service for these candles. Raises core.errors.ServiceError, as the service refuses.

        candles: a frame of pandas or polars, an array, a list of records or a mapping of columns. timestamps: whether
        a time is that of the opening (default) or of the closing.
        """
        found = history(candles, timeframe, timestamps)
        source = CandleWindows(found.candles, found.warnings)
        (result,) = self._detector.predict([source])
        if isinstance(result, ServiceError):
            raise result
        return _answer(result)

    def explain(
        self,
        candles: Table,
        timeframe: str = DEFAULT_TIMEFRAME,
        timestamps: Stamp | None = None,
        background: int = 1,
    ) -> Explanation:
        """How much each feature moved the probabilities of `predict`. Raises core.errors.ServiceError.

        background: the number of reference windows, 1 to 50: 1 is the bundle's reference window, more are so many of
        its stored ones, and take as many times longer.
        """
        if not 1 <= background <= MOST:
            raise InvalidInput.at(BACKGROUND, f"must be an integer from 1 to {MOST}, not {background}")
        found = history(candles, timeframe, timestamps)
        return explain(self._detector, CandleWindows(found.candles), background)

    def signals(
        self,
        candles: Table,
        timeframe: str = DEFAULT_TIMEFRAME,
        timestamps: Stamp | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> Table:
        """One row for each candle: what the service answers if it gets the last `recommended_candles` up to that one.

        The first `required_candles - 1` rows have no signal; the next ones have fewer candles than recommended.

        Columns: `signal` (None without an answer), `confidence`, `stage1_prob`, `stage2_prob` (NaN without one), and
        `out_of_range`. Returns a frame of pandas or polars with the rows of such a frame, else a dict of arrays. Rows
        are in the order of the table. progress: called with the rows that are done, and their number. Raises
        core.errors.InvalidInput for a version that takes ready-made features only, or needs timestamps that the table
        does not have.
        """
        found = history(candles, timeframe, timestamps)
        if self.manifest.inputs == "features" or (self.manifest.requires_timestamps and found.opens is None):
            self.predict(candles, timeframe, timestamps)  # is refused as the service refuses it
        columns = self._columns(found, progress)
        if found.order is not None:
            back = np.argsort(np.array(found.order))
            columns = {name: column[back] for name, column in columns.items()}
        return _like(candles, columns)

    def _columns(self, found: CandleHistory, progress: Callable[[int, int], object] | None) -> dict[str, NDArray[Any]]:
        return signal_columns(answer_history(self._detector, found.candles, threads=available(), progress=progress))


def signal_columns(answers: HistoryAnswers) -> dict[str, NDArray[Any]]:
    """The columns of OfflineDetector.signals."""
    return answers._asdict() | {"signal": _SIGNALS[answers.signal]}


def load(version: str, models: str | Path | None = None) -> OfflineDetector:
    """Load a version from a folder of bundles.

    models: default as for the server: `models/onnx` in the working directory, else the reference detectors that come
    with the package. Raises core.errors.UnknownVersion, BundleRefused, or InvalidInput if there is no such
    folder.
    """
    folder = models_folder(models)
    if not folder.is_dir():
        raise InvalidInput(f"there is no folder {str(folder)!r}")
    return OfflineDetector(Detector(Repository(folder).read(str(version))))


def models_folder(given: str | Path | None) -> Path:
    """The folder of bundles: the given one, else `models/onnx` here, else the one that comes with the package."""
    here = Path("models/onnx")
    return Path(given) if given is not None else here if here.is_dir() else INSTALLED


def _answer(found: Prediction) -> Answer:
    decision = found.decision
    return Answer(
        decision.signal,
        decision.confidence,
        decision.stage1_prob,
        decision.stage2_prob,
        decision.direction,
        found.version,
        None if found.opens is None else iso(found.opens),
        found.warnings,
    )


def _like(table: Table, columns: dict[str, NDArray[Any]]) -> Table:
    """A frame of the table's kind, or the columns."""
    kind = type(table)
    packages = {each.__module__.partition(".")[0] for each in kind.__mro__}  # also of a subclass
    if "pandas" in packages:
        return kind(columns, index=table.index)
    if "polars" in packages:
        types = {"signal": str, "out_of_range": bool}  # also without a row
        return kind(
            {name: column.tolist() for name, column in columns.items()},
            schema={name: types.get(name, float) for name in columns},
        )
    return columns
