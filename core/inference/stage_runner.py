"""One stage in ONNX Runtime: its scaler and its network, windows in, probabilities out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core import yielding
from core.bundles import limits, onnx_file, windows
from core.bundles.bundle import Bundle
from core.bundles.limits import Limits
from core.bundles.manifest import Stage
from core.bundles.plain_scaler import PlainScaler, plain_scaler
from core.errors import BundleRefused, ModelUnavailable
from core.features.candles import Floats
from core.inference import session
from core.native import extension

Floats32: TypeAlias = NDArray[np.float32]

# Denormal numbers (below 1.2e-38) make a network more than ten times slower, and products of slightly larger numbers
# are denormal. Adding this number to every input prevents that. It does not change numbers above 1e-17. Smaller ones
# are rounding errors. The thresholds of tree ensembles allow for it (convert/trees/ensemble.py).
TINY = np.float32(1e-25)
# The byte of False in an array of booleans.
_FALSE = b"\0"
# The probabilities of classes sum to 1 within this. A softmax in float32 is within 1e-6, and a conversion may move each
# of the three by 1e-5.
_SUM_TOLERANCE = 1e-4
# An error names at most this many features that are out of range.
_NAMED = 3


class StageRunner:
    """The sessions of one stage. Safe to use from several threads; keeps no state between calls."""

    def __init__(self, label: str, stage: Stage, bundle: Bundle) -> None:
        """Create the sessions. Raises BundleRefused if a graph does not load or does not have the stage's shape."""
        self.label = label
        self.stage = stage
        self._name = f"version {bundle.manifest.version}, {label}"
        window = [stage.sequence_length, stage.num_features]
        # A probability is a single column, which is taken out. Classes have a column each: hold comes first.
        classes = stage.classes or ()
        self._names = sorted(classes, key=lambda name: name != "hold")
        self._columns: int | list[int] = [classes.index(name) for name in self._names] or 0
        self.answer: tuple[int, ...] = (len(classes),) if classes else ()
        self._network = _BoundSession(
            self._name,
            f"bundle {bundle.manifest.version}: {stage.network.file}",
            bundle.graphs[stage.network.sha256],
            takes=("tensor(float)", window),
            gives=("tensor(float)", list(self.answer or (1,))),
        )
        self._scaler = None
        self._plain_scaler: PlainScaler | None = None  # the scaler without ONNX Runtime, if it is of that kind
        if stage.scaler is not None:
            self._plain_scaler = plain_scaler(bundle.graphs[stage.scaler.sha256], stage.num_features)
            self._scaler = _BoundSession(
                self._name,
                f"bundle {bundle.manifest.version}: {stage.scaler.file}",
                bundle.graphs[stage.scaler.sha256],
                takes=("tensor(double)", window),
                gives=("tensor(float)", window),
            )
        # What explanations compare with: the reference window, and the stored ones. Both can be empty.
        self.reference, self.stored = _reference(stage), _stored(stage, bundle)
        self.limits = _limits(stage, bundle)
        self._low, self._high = _ends(self.limits, stage)
        self._means = self.limits is not None and self.limits.mean_low is not None
        self._least_sum, self._most_sum = _mean_ends(self.limits, stage)

    def odd(self, inputs: Floats32) -> list[int]:
        """Return the indices of windows that have a value out of range, a mean out of range, or a non-finite value."""
        if extension is not None and not self._means and extension.within(inputs, self._low, self._high):
            return []
        within = (inputs >= self._low) & (inputs <= self._high)  # false for NaN
        # For small arrays, this search takes a tenth of the time of NumPy's `all`.
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

    def describe_out_of_range(self, window: Floats32) -> str:
        """Name the features of a finite window that are furthest outside their limits, with their distances."""
        rows = len(window)
        with np.errstate(over="ignore"):  # of a feature without limits
            width = self._high[0] - self._low[0]
        sums = window.sum(axis=0)
        measured = (
            ("", self._low[0] - window.min(axis=0), "below", self._low[0]),
            ("", window.max(axis=0) - self._high[0], "above", self._high[0]),
            ("the mean of ", (self._least_sum - sums) / rows, "below", self._least_sum / rows),
            ("the mean of ", (sums - self._most_sum) / rows, "above", self._most_sum / rows),
        )
        # For each feature its largest distance, in widths of its range, and the text about it.
        found: dict[str, tuple[float, str]] = {}
        for what, distances, side, ends in measured:
            with np.errstate(invalid="ignore"):
                relative = (distances / width).tolist()
            for name, far, distance, end in zip(
                self.stage.scaled_features or self.stage.features,
                relative,
                distances.tolist(),
                ends.tolist(),
                strict=True,
            ):
                if far > found.get(name, (0.0, ""))[0]:
                    found[name] = far, f"{what}{name} is {distance:.3g} {side} its limit {end:.3g}"
        worst = [text for _, text in sorted(found.values(), reverse=True)]
        more = f" and {len(worst) - _NAMED} more" if len(worst) > _NAMED else ""
        return f"in {self.label}, {', '.join(worst[:_NAMED])}{more}"

    def scale(self, raw: Floats) -> Floats32:
        """Scale raw windows, float64 (batch, window, features), to the network's input.

        A value that does not fit into a float32 becomes infinite. The caller checks for that, because it knows the
        place of the value in the request. It also turns NumPy's warnings about that off.
        """
        if self._scaler is None:
            with np.errstate(over="ignore"):
                return raw.astype(np.float32)
        if self._plain_scaler is not None:
            if extension is not None and raw.flags.c_contiguous:
                scaled = np.empty(raw.shape, np.float32)
                extension.scale(*self._plain_scaler, raw, scaled)
                return scaled
            found = raw - self._plain_scaler.centre
            return np.divide(found, self._plain_scaler.scale, out=found).astype(np.float32)
        return self._scaler.run(raw)

    def probabilities(self, scaled: Floats32) -> Floats32:
        """Run the network: (batch, window, features) to (batch,), or to (batch, 3) for classes.

        The columns are hold and the two directions in the order of the stage's classes, as decision.of_classes takes
        them. Raises ModelUnavailable if ONNX Runtime fails.
        """
        output: Floats32 = self._network.run(scaled + TINY)[:, self._columns]
        return output

    def valid(self, found: Floats32) -> NDArray[np.bool_]:
        """Return for each answer whether it is a probability, or probabilities of classes that sum to 1."""
        within: NDArray[np.bool_] = (found >= 0.0) & (found <= 1.0)  # false for NaN
        if not self.answer:
            return within
        summed: NDArray[np.bool_] = np.abs(found.sum(axis=1, dtype=np.float64) - 1.0) <= _SUM_TOLERANCE
        return within.all(axis=1) & summed

    @property
    def expected(self) -> str:
        """What valid answers are, for error messages."""
        return (
            f"probabilities of {', '.join(self._names)} with the sum 1" if self.answer else "a probability from 0 to 1"
        )

    def check(self) -> None:
        """Run the graphs on zeros, for one window and for several. Raises ModelUnavailable if an output is wrong."""
        for batch in (1, 8):
            yielding.give_way()
            shape = (batch, self.stage.sequence_length, self.stage.num_features)
            with np.errstate(all="ignore"):  # of a scaler that divides by 0
                scaled = self.scale(np.zeros(shape))
            if scaled.shape != shape or not np.isfinite(scaled).all():
                raise ModelUnavailable(
                    f"the scaler of {self.label} answered shape {scaled.shape} for zeros of shape {shape},"
                    " expected the same shape and finite values"
                )
            found = self.probabilities(scaled)
            if found.shape != (batch, *self.answer) or not self.valid(found).all():
                raise ModelUnavailable(
                    f"{self.label} answered {found.tolist()}, expected {self.expected} for each of {batch} windows"
                )


class _BoundSession:
    """A session with one input and one output, of known types and of known shapes after the batch dimension."""

    def __init__(
        self, name: str, place: str, graph: bytes, takes: tuple[str, list[int]], gives: tuple[str, list[int]]
    ) -> None:
        """`name` and `place`: the stage and the file, for error messages. Raises BundleRefused."""
        self._name = name
        try:
            self._session = session.make(graph)
        except Exception as error:  # noqa: BLE001 - as in `run`
            raise BundleRefused(f"{place}: ONNX Runtime cannot load it: {_first_line(error)}") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        for what, ends, expected in (("input", inputs, takes), ("output", outputs, gives)):
            found = [(end.type, end.shape) for end in ends]
            # A variable dimension is given as its name, or as None if it has no name.
            if [(kind, shape[1:]) for kind, shape in found] != [expected] or isinstance(found[0][1][0], int):
                raise BundleRefused(f"{place}: {what} is {found}, expected one {expected[0]} of (batch, {expected[1]})")
        self._input, self._outputs = inputs[0].name, [outputs[0].name]

    def run(self, values: Floats | Floats32) -> Floats32:
        """Return the output for these values. Raises ModelUnavailable if ONNX Runtime fails."""
        try:
            result: Floats32 = self._session.run(self._outputs, {self._input: values}, session.RUN_OPTIONS)[0]
        except Exception as error:  # the only common base class of ONNX Runtime's exceptions
            raise ModelUnavailable(f"{self._name} failed: {_first_line(error)}") from error
        return result


def _reference(stage: Stage) -> Floats32:
    shape = (-1, stage.sequence_length, stage.num_features)
    return np.array(stage.background or (), np.float32).reshape(shape)


def _stored(stage: Stage, bundle: Bundle) -> Floats32:
    file = stage.background_windows
    if file is None:
        return np.empty((0, stage.sequence_length, stage.num_features), np.float32)
    return windows.decode(bundle.graphs[file.sha256], file.count, stage.sequence_length, stage.num_features)


def _limits(stage: Stage, bundle: Bundle) -> Limits | None:
    if stage.limits is not None or stage.scaler is None:
        return stage.limits
    return limits.of_operators(onnx_file.operators(bundle.graphs[stage.scaler.sha256]), stage.num_features)


_LARGEST = np.finfo(np.float32).max


def _ends(of: Limits | None, stage: Stage) -> tuple[Floats32, Floats32]:
    """The limits of single values; without limits, the range of float32, which contains every finite value.

    Both arrays have the shape of a window, because broadcasting one row would take twice as long.
    """
    width = stage.num_features
    low, high = ((-_LARGEST,) * width, (_LARGEST,) * width) if of is None else (of.low, of.high)
    rows = (stage.sequence_length, 1)
    return np.tile(np.array(low, np.float32), rows), np.tile(np.array(high, np.float32), rows)


def _mean_ends(of: Limits | None, stage: Stage) -> tuple[Floats32, Floats32]:
    """The limits of the sum over a window, which is compared instead of the mean; infinite without limits."""
    if of is None or of.mean_low is None or of.mean_high is None:
        return np.full(stage.num_features, -np.inf, np.float32), np.full(stage.num_features, np.inf, np.float32)
    rows = stage.sequence_length
    with np.errstate(over="ignore"):  # of a feature without limits, the sums are beyond float32
        return (rows * np.array(of.mean_low)).astype(np.float32), (rows * np.array(of.mean_high)).astype(np.float32)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
