"""A loaded Keras model as one stage: its window, its parameters, and one of its outputs."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from statistics import median
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.networks import float64
from convert.untrusted import limits
from convert.untrusted.models import keras_files
from convert.untrusted.records import KerasFile

Floats32: TypeAlias = NDArray[np.float32]

_BATCH = 256
_WINDOW_SHAPE = 3  # batch, steps, features


class KerasModel:
    """The reference with which a network graph is compared."""

    def __init__(self, file: KerasFile, output: str | None, sequence_length: int | None) -> None:
        """Load the file and choose an output by name. Raises Refused; the message does not name the file."""
        self.framework = keras_files.import_framework(file.framework)
        self.tool: tuple[str, str] = (file.framework, str(self.framework.__version__))
        self.model = self._chosen(keras_files.load(file), output)
        self.parameters = int(self.model.count_params())
        self._batch, steps, features = self._input_shape()
        self.window = (_steps(steps, sequence_length), features)
        if self.window[0] * self.window[1] > limits.WINDOW:
            raise Refused(f"the window of {self.window} has more than {limits.WINDOW:,} values")
        self.mask_values = tuple(
            sorted({float(x.mask_value) for x in _all_layers(self.model) if hasattr(x, "mask_value")})
        )

    def predict(self, windows: Floats32) -> Floats32:
        """The framework's output, (batch, 1), for (batch, steps, features). Every window starts without a state."""
        if self._batch is None:
            return np.asarray(self.model.predict(windows, batch_size=_BATCH, verbose=0))
        # Stateful models have a fixed batch size: fill up the last batch, and reset the state before each one.
        missing = -len(windows) % self._batch
        filled = np.concatenate([windows, np.zeros((missing, *windows.shape[1:]), windows.dtype)])
        answers = []
        for batch in filled.reshape(-1, self._batch, *windows.shape[1:]):
            self._reset()
            answers.append(np.asarray(self.model.predict_on_batch(batch)))
        return np.concatenate(answers)[: len(windows)]

    def in_float64(self) -> Callable[[Floats32], NDArray[np.float64]]:
        """`predict` of the same network in float64. Raises Refused if the framework cannot build it."""
        exact = copy.copy(self)
        exact.model = float64.rebuilt(self.model)
        return lambda windows: exact.predict(windows).astype(np.float64)  # which they are, for mypy

    def seconds(self, runs: int = 7) -> float:
        """Median time of `model.predict` for one window, or for one batch if the model fixes the batch size."""
        windows = np.zeros((self._batch or 1, *self.window), np.float32)
        self.model.predict(windows, verbose=0)
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            self.model.predict(windows, verbose=0)
            times.append(time.perf_counter() - start)
        return median(times)

    def _chosen(self, model: Keras, output: str | None) -> Keras:
        names = list(getattr(network.functional(model), "output_names", None) or [])
        if output is None and len(names) > 1:
            raise Refused(f"the model has {len(names)} outputs; name one with `output`: {', '.join(names)}")
        if output is not None and output not in names:
            raise Refused(f"the model has no output {output!r}, only {', '.join(names)}")
        # Keras 3 names outputs after their layer, which several heads can share.
        if output is not None and names.count(output) > 1:
            raise Refused(f"the model has {names.count(output)} outputs named {output!r}; give each a name of its own")
        if len(names) <= 1:
            return model
        inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
        return self.framework.Model(inputs, model.outputs[names.index(str(output))])

    def _input_shape(self) -> tuple[int | None, int | None, int]:
        shapes = [tuple(x.shape) for x in self.model.inputs or ()]
        if len(shapes) != 1 or len(shapes[0]) != _WINDOW_SHAPE or shapes[0][2] is None:
            raise Refused(f"the model's inputs have the shapes {shapes}, expected one (batch, steps, features)")
        batch, steps, features = shapes[0]
        return batch, steps, int(features)

    def _reset(self) -> None:
        for layer in _all_layers(self.model):
            if getattr(layer, "stateful", False) and hasattr(layer, "cell"):
                layer.reset_states()


def _all_layers(model: Keras) -> list[Keras]:
    """Every layer, including the layers of inner models and wrappers."""
    inner = [*getattr(model, "layers", ())]
    inner += [
        x for x in (getattr(model, "forward_layer", None), getattr(model, "backward_layer", None)) if x is not None
    ]
    return [model, *(layer for x in inner for layer in _all_layers(x))]


def _steps(of_model: int | None, of_versions: int | None) -> int:
    if of_model is None and of_versions is None:
        raise Refused("the model does not fix the length of the window; set `sequence_length`")
    if of_model is not None and of_versions not in (None, of_model):
        raise Refused(f"sequence_length is {of_versions}, but the model's window is {of_model} steps long")
    return int(of_model or of_versions or 0)
