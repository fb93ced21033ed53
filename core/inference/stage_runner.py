"""One stage in ONNX Runtime: its scaler and its network, windows in, probabilities out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.bundles import limits, onnx_file
from core.bundles.bundle import Bundle
from core.bundles.limits import Limits
from core.bundles.manifest import Stage
from core.errors import BundleRefused, ModelUnavailable
from core.features.candles import Floats
from core.inference import session

Floats32: TypeAlias = NDArray[np.float32]

# Denormal numbers, below 1.2e-38, make a network more than ten times slower, and products of somewhat larger ones are
# denormal. With this added there are none, and it is lost in every number that is no rounding residue, above 1e-17.
_TINY = np.float32(1e-25)
# As a byte of an array of truth values.
_FALSE = b"\0"
# Features that are named where more of them are out of range.
_WORST = 3


class StageRunner:
    """A stage's sessions. Safe to use from several threads; holds no state between calls."""

    def __init__(self, label: str, stage: Stage, bundle: Bundle) -> None:
        """Make the sessions; raises BundleRefused where a graph does not load or is not of the stage's shape."""
        self.label = label
        self.stage = stage
        self._name = f"version {bundle.manifest.version}, {label}"
        window = [stage.sequence_length, stage.num_features]
        self._network = _BoundSession(
            self._name,
            f"bundle {bundle.manifest.version}: {stage.network.file}",
            bundle.graphs[stage.network.sha256],
            takes=("tensor(float)", window),
            gives=("tensor(float)", [1]),
        )
        self._scaler = None
        if stage.scaler is not None:
            self._scaler = _BoundSession(
                self._name,
                f"bundle {bundle.manifest.version}: {stage.scaler.file}",
                bundle.graphs[stage.scaler.sha256],
                takes=("tensor(double)", window),
                gives=("tensor(float)", window),
            )
        self.limits = _limits(stage, bundle)
        self._low, self._high = _ends(self.limits, stage)
        self._means = self.limits is not None and self.limits.mean_low is not None
        self._least_sum, self._most_sum = _mean_ends(self.limits, stage)

    def odd(self, inputs: Floats32) -> list[int]:
        """The windows with a value that is out of range or not finite, or a mean that is out of range."""
        within = (inputs >= self._low) & (inputs <= self._high)  # false for NaN
        # NumPy's own reduction takes ten times as long for so few.
        if _FALSE in within.tobytes():
            odd = ~within.all(axis=(1, 2))
        elif self._means:
            odd = np.zeros(len(inputs), np.bool_)
        else:
            return []
        if self._means:
            sums = np.add.reduce(inputs, axis=1)
            odd |= ~((sums >= self._least_sum) & (sums <= self._most_sum)).all(axis=1)
        found: list[int] = np.flatnonzero(odd).tolist()
        return found

    def oddity(self, window: Floats32) -> str:
        """How far outside the limits a window lies that is finite: its worst features, by name."""
        rows, width = len(window), self._high[0] - self._low[0]
        sums = window.sum(axis=0)
        measured = (
            ("", self._low[0] - window.min(axis=0), "below", self._low[0]),
            ("", window.max(axis=0) - self._high[0], "above", self._high[0]),
            ("on average ", (self._least_sum - sums) / rows, "below", self._least_sum / rows),
            ("on average ", (sums - self._most_sum) / rows, "above", self._most_sum / rows),
        )
        found: dict[str, tuple[float, str]] = {}  # by feature how far, in widths of its range, and in words
        for what, distances, side, ends in measured:
            relative = (distances / width).tolist()
            for name, far, distance, end in zip(
                self.stage.features, relative, distances.tolist(), ends.tolist(), strict=True
            ):
                if far > found.get(name, (0.0, ""))[0]:
                    found[name] = far, f"{name} is {what}{distance:.3g} {side} its limit {end:.3g}"
        worst = [text for _, text in sorted(found.values(), reverse=True)]
        more = f" and {len(worst) - _WORST} more" if len(worst) > _WORST else ""
        told = f"{', '.join(worst[:_WORST])}{more} (scaled)"
        return f"{self._name} was trained on other values, ask a version that was trained for this market: {told}"

    def scale(self, raw: Floats) -> Floats32:
        """Raw windows, float64 (batch, window, features), to what the network takes.

        What does not fit float32 becomes infinite: the caller looks for that, since it knows where it came from.
        """
        if self._scaler is None:
            with np.errstate(over="ignore"):
                return raw.astype(np.float32)
        return self._scaler.run(raw)

    def probabilities(self, scaled: Floats32) -> Floats32:
        """Shape (batch,) from (batch, window, features). Raises ModelUnavailable where ONNX Runtime fails."""
        output: Floats32 = self._network.run(scaled + _TINY)[:, 0]
        return output


class _BoundSession:
    """A session with one input and one output, both of a known type and shape behind a free batch dimension."""

    def __init__(
        self, name: str, place: str, graph: bytes, takes: tuple[str, list[int]], gives: tuple[str, list[int]]
    ) -> None:
        """`name`: the stage, and `place`: the file, as errors call them. Raises BundleRefused."""
        self._name = name
        try:
            self._session = session.make(graph)
        except Exception as error:  # noqa: BLE001 - as in `run`
            raise BundleRefused(f"{place}: ONNX Runtime refuses it: {_first_line(error)}") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        for what, ends, expected in (("input", inputs, takes), ("output", outputs, gives)):
            found = [(end.type, end.shape) for end in ends]
            # A free dimension comes as its name, or as None where it has none.
            if [(kind, shape[1:]) for kind, shape in found] != [expected] or isinstance(found[0][1][0], int):
                raise BundleRefused(f"{place}: {what} is {found}, expected one {expected[0]} of (batch, {expected[1]})")
        self._input, self._outputs = inputs[0].name, [outputs[0].name]

    def run(self, values: Floats | Floats32) -> Floats32:
        """The output for these values; raises ModelUnavailable where ONNX Runtime fails."""
        try:
            result: Floats32 = self._session.run(self._outputs, {self._input: values})[0]
        except Exception as error:  # onnxruntime raises classes of its own that share no base but this
            raise ModelUnavailable(f"{self._name} failed: {_first_line(error)}") from error
        return result


def _limits(stage: Stage, bundle: Bundle) -> Limits | None:
    if stage.limits is not None or stage.scaler is None:
        return stage.limits
    return limits.of_operators(onnx_file.operators(bundle.graphs[stage.scaler.sha256]), stage.num_features)


_LARGEST = np.finfo(np.float32).max


def _ends(of: Limits | None, stage: Stage) -> tuple[Floats32, Floats32]:
    """Those of single values; without limits those of float32, within which every finite value lies.

    Each of the shape of a window: comparing row by row takes twice as long.
    """
    width = stage.num_features
    low, high = ((-_LARGEST,) * width, (_LARGEST,) * width) if of is None else (of.low, of.high)
    rows = (stage.sequence_length, 1)
    return np.tile(np.array(low, np.float32), rows), np.tile(np.array(high, np.float32), rows)


def _mean_ends(of: Limits | None, stage: Stage) -> tuple[Floats32, Floats32]:
    """Those of sums over a window, as means are compared."""
    if of is None or of.mean_low is None or of.mean_high is None:
        return np.full(stage.num_features, -np.inf, np.float32), np.full(stage.num_features, np.inf, np.float32)
    rows = stage.sequence_length
    return (rows * np.array(of.mean_low)).astype(np.float32), (rows * np.array(of.mean_high)).astype(np.float32)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
