"""What a version requires of its inputs."""

from __future__ import annotations

import math
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.bundles.manifest import Manifest
from core.features.catalogue import needing_times
from core.features.table import Table

_NO_COLUMNS = np.empty(0, np.intp)


class StageInput(NamedTuple):
    """The window of a stage: `rows` bars of `features`, which are the `columns` of the table with so many rows.

    A version that takes no candles has no tables and no columns.
    """

    rows: int
    features: tuple[str, ...]
    columns: NDArray[np.intp]


class InputRequirements:
    """Input requirements of one version. Safe to use from several threads."""

    def __init__(self, manifest: Manifest) -> None:
        self.version = manifest.version
        # A version that takes ready-made features only needs more candles than there can be. `CandleWindows.check` then
        # compares as it does for all others.
        self.takes_candles = manifest.inputs == "candles"
        self.required_candles: float = math.inf if manifest.required_candles is None else manifest.required_candles
        # Whether one window serves all stages.
        self.one_window = manifest.stage2 is None or manifest.stage1.takes_same_window(manifest.stage2)
        # Stages with the same window length share one table, so that common features are computed once.
        names: dict[int, list[str]] = {}
        for stage in manifest.stages.values() if self.takes_candles else ():
            names.setdefault(stage.sequence_length, []).extend(stage.features)
        self.tables = {rows: Table(of_length, rows) for rows, of_length in names.items()}
        # The features for which candles must have times.
        self.timed = needing_times(dict.fromkeys(chain.from_iterable(names.values())))
        self.inputs: dict[str, StageInput] = {}  # by stage
        for label, stage in manifest.stages.items():
            rows, features = stage.sequence_length, stage.features
            columns = self.tables[rows].columns(features) if self.takes_candles else _NO_COLUMNS
            self.inputs[label] = StageInput(rows, features, columns)
