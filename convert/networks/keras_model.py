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
from convert.networks import float64, heads, windows
from convert.networks.custom_objects import CustomObjects
from convert.untrusted.models import allocations, keras_files
from convert.untrusted.records import KerasFile

Floats32: TypeAlias = NDArray[np.float32]

_BATCH = 256


class KerasModel:
    """The reference with which a network graph is compared."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of one stage
        self,
        file: KerasFile,
        output: str | None,
        sequence_length: int | None,
        window: windows.StatedWindow | None = None,
        head: heads.StatedHead | None = None,
        custom: CustomObjects = CustomObjects(),  # noqa: B008 - immutable
    ) -> None:
        """Load the file and choose an output by name. Raises Refused; the message does not name the file.

        window: what is known of the window; without it the input must be (steps, features). head: which probability
        the output must give; without it the output can be anything. custom: the user's own classes and functions.
        """
        self.framework = keras_files.import_framework(file.framework)
        self.tool: tuple[str, str] = (file.framework, str(self.framework.__version__))
        self.model = self._chosen(keras_files.load(file, custom.named(file.model.custom, self.framework)), output)
        _check_weights(self.model)
        self.parameters = int(self.model.count_params())
        self._batch, shape = self._input_shape()
        self.arrangement = windows.find(shape, sequence_length, window)
        self.window = (self.arrangement.steps, self.arrangement.features)
        allocations.check_values(self.model, self.window[0])
        result = self.model.outputs[0]
        self.head = (
            heads.of_any(result, self.window[0])
            if head is None
            else heads.choose(self.model, result, self.window[0], head)
        )
        # A Masking layer in front of a model that takes the features first hides features, one behind a Permute steps.
        self.mask_axes: tuple[int, ...] = (1, 2) if self.arrangement.turned else (1,)
        self.mask_values = tuple(
            sorted({float(x.mask_value) for x in _all_layers(self.model) if hasattr(x, "mask_value")})
        )

    @property
    def notes(self) -> list[str]:
        """What the report says of the window and the head."""
        return [*([self.arrangement.note] if self.arrangement.note else []), *self.head.notes]

    def answer(self, windows: Keras) -> Keras:
        """The stage as a function of TensorFlow, for a tf.function: (batch, steps, features) to (batch, n)."""
        return self.head.of_symbol(self.model(self.arrangement.of_symbol(windows), training=False))

    def predict(self, windows: Floats32) -> Floats32:
        """The stage's answers, (batch, n), for (batch, steps, features). Every window starts without a state."""
        return self.head.of_array(self._predict(self.arrangement.of_array(windows)))

    def _predict(self, windows: Floats32) -> Floats32:
        """The framework's output for its own form of input."""
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

    def logits(self) -> Callable[[Floats32], NDArray[np.float64]]:
        """The input of the sigmoid that the network ends in, in float64. Raises Refused if it ends in another layer."""
        exact = copy.copy(self)
        exact.model = float64.rebuilt(self.model)
        float64.end_before_sigmoid(exact.model)
        return lambda windows: exact.predict(windows).astype(np.float64)

    def seconds(self, runs: int = 7) -> float:
        """Median time of `model.predict` for one window, or for one batch if the model fixes the batch size."""
        windows = np.zeros((self._batch or 1, *self.arrangement.shape), np.float32)
        self.model.predict(windows, verbose=0)
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            self.model.predict(windows, verbose=0)
            times.append(time.perf_counter() - start)
        return median(times)

    def _chosen(self, model: Keras, output: str | None) -> Keras:
        """The model with one output, as one tensor and not as a list or dict of it, and with one input."""
        known = list(getattr(network.functional(model), "output_names", None) or [])
        keys = _keys(getattr(model, "output", None) if known else None)
        outputs = list(model.outputs or ()) if known else []
        names = [keys.get(id(x), name) for x, name in zip(outputs, known, strict=True)]
        if output is None and len(names) > 1:
            raise Refused(f"the model has {len(names)} outputs; name one with `output`: {', '.join(names)}")
        # An output can be named by its key in a dict, or by its layer.
        chosen = names if output in names else known
        if output is not None and output not in chosen:
            raise Refused(f"the model has no output {output!r}, only {', '.join(names)}")
        # Keras 3 names outputs after their layer, which several heads can share.
        if output is not None and chosen.count(output) > 1:
            raise Refused(f"the model has {chosen.count(output)} outputs named {output!r}; give each a name of its own")
        structured = any(isinstance(getattr(model, x, None), dict | list | tuple) for x in ("input", "output"))
        if not outputs or (len(outputs) == 1 and not structured):
            return model
        inputs = model.inputs if len(model.inputs) > 1 else model.inputs[0]
        return self.framework.Model(inputs, outputs[chosen.index(output) if output is not None else 0])

    def _input_shape(self) -> tuple[int | None, windows.Shape]:
        """The batch size, and the shape of the input without it."""
        shapes = [tuple(x.shape) for x in self.model.inputs or ()]
        if len(shapes) != 1:
            raise Refused(f"the model's inputs have the shapes {shapes}, expected one (batch, steps, features)")
        return shapes[0][0], shapes[0][1:]

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


def _keys(structure: object, path: str = "") -> dict[int, str]:
    """The path of each tensor that is in a dict, as `reversal` or `heads.0`, by the tensor's id."""
    if isinstance(structure, dict):
        parts = list(structure.items())
    elif isinstance(structure, list | tuple):
        parts = list(enumerate(structure))
    else:
        return {} if path.isdigit() or not path else {id(structure): path}
    inner = [_keys(part, f"{path}.{key}" if path else str(key)) for key, part in parts]
    return {tensor: name for found in inner for tensor, name in found.items()}


def _check_weights(model: Keras) -> None:
    """Refuse weights that are not finite, which training leaves behind when it fails."""
    for layer in _all_layers(model)[1:]:
        if getattr(layer, "layers", None):
            continue
        for weight in layer.weights:
            wrong = int(np.size(weight) - np.isfinite(np.asarray(weight)).sum())
            if wrong:
                name = str(getattr(weight, "path", weight.name)).partition(":")[0]
                raise Refused.at(
                    str(layer.name),
                    f"its weight {name} has {wrong:,} of {np.size(weight):,} values that are NaN or infinite, so its"
                    " training failed; train the model again, such as with a lower learning rate or clipnorm",
                )
