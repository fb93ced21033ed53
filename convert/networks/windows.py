"""Windows: how a window (steps, features) becomes the input of a model that takes it in another form.

The published graph always takes (batch, steps, features). A model can take the features first, all values in one axis,
or further axes of 1. Axes of 1 never change the order of the values, so only the other axes decide.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.rows.reshaping import reshaped
from convert.sources.versions import Layout
from convert.untrusted import limits

Floats32: TypeAlias = NDArray[np.float32]
# A dimension that the model leaves open is None.
Shape: TypeAlias = tuple[int | None, ...]

_PLAIN_RANK = 2  # steps and features
_SUBSEQUENCES_RANK = 3


class StatedWindow(NamedTuple):
    """What the source files say of a window. file: the feature list, for messages. features: how many it names."""

    file: str
    features: int
    layout: Layout = "steps_first"


class Arrangement(NamedTuple):
    """The way from a window (steps, features) to a model's input.

    turned: whether the features come first. shape: of the model's input, without the batch.
    """

    steps: int
    features: int
    turned: bool
    shape: tuple[int, ...]

    @property
    def note(self) -> str | None:
        """How the input is read, for the report; None if the model takes the window as it is."""
        if not self.turned and self.shape == (self.steps, self.features):
            return None
        order = ", features first" if self.turned else ""
        steps, features = _counted(self.steps, "step"), _counted(self.features, "feature")
        return f"its input {_listed(self.shape)} is read as {steps} of {features}{order}"

    def of_array(self, windows: Floats32) -> Floats32:
        """The model's input for windows (batch, steps, features)."""
        turned = windows.swapaxes(1, 2) if self.turned else windows
        return np.ascontiguousarray(turned).reshape(len(windows), *self.shape)

    def of_symbol(self, windows: Keras) -> Keras:
        """The same as `of_array` for a tensor of TensorFlow."""
        import tensorflow as tf  # noqa: PLC0415 - takes seconds

        turned = tf.transpose(windows, [0, 2, 1]) if self.turned else windows
        return turned if self.shape == self._turned_shape else tf.reshape(turned, [-1, *self.shape])

    def emit(self, graph: GraphBuilder, window: Tensor) -> Tensor:
        """Add the same as nodes; none if the model takes the window as it is."""
        name = window.name
        if self.turned:
            name = graph.value("Transpose", window.name, name, perm=[0, 2, 1])
        if self.shape != self._turned_shape:
            name = reshaped(graph, window.name, name, self.shape)
        return Tensor(name, self.shape)

    @property
    def _turned_shape(self) -> tuple[int, int]:
        return (self.features, self.steps) if self.turned else (self.steps, self.features)


def find(shape: Shape, sequence_length: int | None, stated: StatedWindow | None = None) -> Arrangement:
    """Find the arrangement for an input of this shape, without the batch. Raises Refused.

    Without `stated`, the input must be (steps, features).
    """
    if stated is None:
        if len(shape) != _PLAIN_RANK or shape[1] is None:
            raise Refused(f"the model's input has the shape {_listed(shape)}, expected (steps, features)")
        stated = StatedWindow("the model", shape[1])
    known = _closed(shape, sequence_length, stated)
    steps = _steps(known, sequence_length, stated)
    if sequence_length not in (None, steps):
        raise Refused(f"sequence_length is {sequence_length}, but the model's window is {steps} steps long")
    if steps > limits.STEPS or steps * stated.features > limits.WINDOW:
        raise Refused(
            f"the window of {steps:,} steps and {stated.features:,} features is longer than {limits.STEPS:,} steps"
            f" or has more than {limits.WINDOW:,} values"
        )
    # The order is the same for one step or one feature, so that nothing needs to be turned.
    turned = stated.layout == "features_first" and 1 not in (steps, stated.features)
    return Arrangement(steps, stated.features, turned, known)


def _closed(shape: Shape, sequence_length: int | None, stated: StatedWindow) -> tuple[int, ...]:
    """The shape with the number of steps where the model leaves an axis open."""
    fixed = tuple(n for n in shape if n is not None)
    if len(fixed) == len(shape):
        return fixed
    if len(shape) - len(fixed) > 1:
        raise Refused(
            f"the model leaves several axes of its input {_listed(shape)} open; save it with one open at most"
        )
    if prod(fixed) != stated.features:
        raise _wrong_number(shape, prod(fixed), stated)
    if sequence_length is None:
        raise Refused("the model does not fix the length of the window; set `sequence_length`")
    return tuple(sequence_length if n is None else n for n in shape)


def _steps(shape: tuple[int, ...], sequence_length: int | None, stated: StatedWindow) -> int:
    """The number of steps in an input of this shape."""
    first, features = stated.layout == "features_first", stated.features
    axes = [n for n in shape if n != 1]
    if features == 1:
        if len(axes) > 1 and 1 not in (shape[0], shape[-1]):  # then one of them is that of several features
            raise _wrong_number(shape, axes[0] if first else axes[-1], stated)
        axes = [1, *axes] if first else [*axes, 1]
    if len(axes) <= 1:  # one axis has all values
        if prod(shape) % features:
            raise Refused(
                f"takes {prod(shape)} values in a window, its input is {_listed(shape)}, but {stated.file} names"
                f" {features} features, which do not divide them"
            )
        return prod(shape) // features
    at, across = (axes[0], axes[-1]) if first else (axes[-1], axes[0])
    if at != features:
        if across == features:
            order = "(features, steps)" if not first else "(steps, features)"
            other = "features_first" if not first else "steps_first"
            raise Refused(
                f"its input {_listed(shape)} fits the {features} features of {stated.file} only as {order}: "
                f'set `layout = "{other}"`'
            )
        raise _wrong_number(shape, at, stated)
    steps = prod(axes) // features
    if len(axes) >= _SUBSEQUENCES_RANK and sequence_length is None:
        raise Refused(
            f"its input {_listed(shape)} has several axes besides that of the {features} features; if they are"
            f" {steps} consecutive steps, set `sequence_length = {steps}`"
        )
    return steps


def _wrong_number(shape: Shape, found: int, stated: StatedWindow) -> Refused:
    of = "" if len(shape) == _PLAIN_RANK else f", its input is {_listed(shape)}"
    return Refused(f"takes windows of {found} features, but {stated.file} names {stated.features}{of}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _listed(shape: Shape) -> str:
    return "(" + ", ".join(["batch", *("any" if n is None else str(n) for n in shape)]) + ")"
