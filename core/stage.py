"""One stage in ONNX Runtime: its scaler and its network, windows in, probabilities out."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core import session
from core.bundle import Bundle
from core.candles import Floats
from core.errors import BundleRefused, ModelUnavailable
from core.manifest import Stage

Floats32: TypeAlias = NDArray[np.float32]

# Denormal numbers, below 1.2e-38, make a network more than ten times slower, and products of somewhat larger ones are
# denormal. With this added there are none, and it is lost in every number that is no rounding residue, above 1e-17.
_TINY = np.float32(1e-25)


class StageRunner:
    """A stage's sessions. Safe to use from several threads; holds no state between calls."""

    def __init__(self, label: str, stage: Stage, bundle: Bundle) -> None:
        """Make the sessions; raises BundleRefused where a graph does not load or is not of the stage's shape."""
        self.label = label
        self.stage = stage
        self._name = f"version {bundle.manifest.version}, {label}"
        window = [stage.sequence_length, stage.num_features]
        self._network = _Graph(
            f"bundle {bundle.manifest.version}: {stage.network.file}",
            bundle.graphs[stage.network.sha256],
            takes=("tensor(float)", window),
            gives=("tensor(float)", [1]),
        )
        self._scaler = None
        if stage.scaler is not None:
            self._scaler = _Graph(
                f"bundle {bundle.manifest.version}: {stage.scaler.file}",
                bundle.graphs[stage.scaler.sha256],
                takes=("tensor(double)", window),
                gives=("tensor(float)", window),
            )

    def scale(self, raw: Floats) -> Floats32:
        """Raw windows, float64 (batch, window, features), to what the network takes.

        What does not fit float32 becomes infinite: the caller looks for that, since it knows where it came from.
        """
        if self._scaler is None:
            with np.errstate(over="ignore"):
                return raw.astype(np.float32)
        return self._run(self._scaler, raw)

    def probabilities(self, scaled: Floats32) -> Floats32:
        """Shape (batch,) from (batch, window, features). Raises ModelUnavailable where ONNX Runtime fails."""
        output: Floats32 = self._run(self._network, scaled + _TINY)[:, 0]
        return output

    def _run(self, graph: _Graph, values: Floats | Floats32) -> Floats32:
        try:
            return graph.run(values)
        except Exception as error:  # onnxruntime raises classes of its own that share no base but this
            raise ModelUnavailable(f"{self._name} failed: {_first_line(error)}") from error


class _Graph:
    """A session with one input and one output, both of a known type and shape behind a free batch dimension."""

    def __init__(self, place: str, graph: bytes, takes: tuple[str, list[int]], gives: tuple[str, list[int]]) -> None:
        try:
            self._session = session.make(graph)
        except Exception as error:  # noqa: BLE001 - as in StageRunner._run
            raise BundleRefused(f"{place}: ONNX Runtime refuses it: {_first_line(error)}") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        for what, ends, expected in (("input", inputs, takes), ("output", outputs, gives)):
            found = [(end.type, end.shape) for end in ends]
            # A free dimension comes as its name, or as None where it has none.
            if [(kind, shape[1:]) for kind, shape in found] != [expected] or isinstance(found[0][1][0], int):
                raise BundleRefused(f"{place}: {what} is {found}, expected one {expected[0]} of (batch, {expected[1]})")
        self._input, self._outputs = inputs[0].name, [outputs[0].name]

    def run(self, values: Floats | Floats32) -> Floats32:
        result: Floats32 = self._session.run(self._outputs, {self._input: values})[0]
        return result


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
