"""Heads: from what a network answers to the probabilities that a stage has.

A stage answers (batch, 1), the probability of one class, or (batch, 3), the probabilities of hold, long and short.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.rows.reshaping import reshaped
from convert.networks import last_activation
from convert.networks.last_activation import Ending

Floats32: TypeAlias = NDArray[np.float32]

_TWO, _THREE = 2, 3
_SIGNALS = ("hold", "long", "short")
_ONE_UNIT = 'Dense(1, activation="sigmoid")'


class StatedHead(NamedTuple):
    """What versions.toml says of a head.

    wanted: the class whose probability the stage gives, a direction for Stage 2. classes: of the outputs of a softmax,
    in the file's order.
    """

    wanted: str
    classes: tuple[str, ...] | None = None


class Head(NamedTuple):
    """The way from a model's answers to a stage's.

    shape: of an answer, without the batch. units: how many values of it count. column: the one to keep; None keeps
    all. classes: those of three values, in their order. notes: for the report.
    """

    shape: tuple[int, ...]
    units: int
    column: int | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """The number of values in a stage's answer."""
        return self.units if self.column is None else 1

    def of_array(self, answers: Floats32) -> Floats32:
        """A stage's answers (batch, width) from those of the model."""
        rows = answers.reshape(len(answers), self.units)
        return rows if self.column is None else rows[:, self.column : self.column + 1]

    def of_symbol(self, answers: Keras) -> Keras:
        """The same as `of_array` for a tensor of TensorFlow."""
        import tensorflow as tf  # noqa: PLC0415 - takes seconds

        rows = answers if self.shape == (self.units,) else tf.reshape(answers, [-1, self.units])
        return rows if self.column is None else rows[:, self.column : self.column + 1]

    def emit(self, graph: GraphBuilder, answers: Tensor) -> Tensor:
        """Add the same as nodes; none if the model answers as a stage does."""
        name = answers.name
        if answers.shape != (self.units,):
            name = reshaped(graph, "head", graph.batch_major(answers).name, (self.units,))
        if self.column is not None:
            name = graph.value("Gather", "head", name, graph.constant("head/column", np.array([self.column])), axis=1)
        return Tensor(name, (self.width,))


def of_any(output: Keras, steps: int) -> Head:
    """The head of an output that need not be a probability."""
    shape = _shape(output, steps)
    return Head(shape, prod(shape))


def choose(model: Keras, output: Keras, steps: int, stated: StatedHead) -> Head:
    """Find the head of a model's output. Raises Refused, with the layer, if it gives no probability."""
    ending, shape = last_activation.of_output(model, output), _shape(output, steps)
    units = shape[-1] if shape else 1
    try:
        _check_ending(ending, units)
        _check_steps(shape)
        head = _counted(ending, units, stated)
    except Refused as error:
        raise Refused.at(ending.layer, error) from None
    notes = list(head.notes)
    if ending.kind == "unknown":
        notes.append(
            f"{ending.layer}: {ending.what} is not of Keras, so only its values show that it gives probabilities"
        )
    return head._replace(shape=shape, notes=tuple(notes))


def _check_ending(ending: Ending, units: int) -> None:
    if ending.kind != "unbounded":
        return
    activation = "softmax" if units in (_TWO, _THREE) else "sigmoid"
    head = f'Dense({units}, activation="softmax")' if activation == "softmax" else _ONE_UNIT
    if not ending.is_activation:
        raise Refused(f"ends in {ending.what}, which gives no probability; end it in {head}, and train it so")
    article = "an" if ending.what[0] in "aeEiou" else "a"
    raise Refused(
        f"ends in {article} {ending.what} activation: a price regression? A stage needs a probability, so train it with"
        f' the head {head}. If it was trained with from_logits=True, add Activation("{activation}") behind it and save'
        " it again"
    )


def _check_steps(shape: tuple[int, ...]) -> None:
    if (steps := prod(shape[:-1])) > 1:
        raise Refused(
            f"answers for each of {steps} steps; keep one of them, such as the last: return_sequences=False in the"
            " last recurrent layer, or x[:, -1] before the head"
        )


def _counted(ending: Ending, units: int, stated: StatedHead) -> Head:
    """The head by the number of its values."""
    if units == 1 and ending.kind == "distribution":
        raise Refused(f"ends in a softmax of one unit, which is always 1; train it with the head {_ONE_UNIT}")
    if stated.classes is not None and (units == 1 or len(stated.classes) != units):
        way = "remove `classes`" if units == 1 else "name each of them"
        values = "one value" if units == 1 else f"{units} values"
        raise Refused(f"answers {values}, but `classes` names {', '.join(stated.classes)}; {way}")
    if units == 1:
        return Head((), 1)
    if ending.kind != "distribution":
        raise Refused(
            f"answers {units} values that are no distribution (they end in {ending.what}), so none is the probability"
            f" of a {stated.wanted}; keep one of them, or train it with a softmax"
        )
    if units == _TWO:
        column = 1 if stated.classes is None else stated.classes.index(stated.wanted)
        said = "as label 1 of a sigmoid; name them in `classes` if it is the other" if stated.classes is None else ""
        of = f"output {column} of the softmax is the probability of {stated.wanted}"
        return Head((), units, column, notes=(f"{of}, {said}" if said else of,))
    if units == _THREE and stated.wanted in _SIGNALS:
        raise Refused(
            "ends in a softmax of three units, so it serves both stages; name it in stage1, and remove stage2"
        )
    if units == _THREE and stated.classes is None:
        classes = ", ".join(f'"{name}"' for name in _SIGNALS)
        raise Refused(
            "ends in a softmax of three units, so it serves both stages; name them in their order, such as"
            f" `classes = [{classes}]`, and have no stage2"
        )
    if units == _THREE:
        return Head((), units, classes=stated.classes, notes=(f"one network for {', '.join(stated.classes or ())}",))
    raise Refused(f"ends in a softmax of {units} units; the classes can be hold, long and short only")


def _shape(output: Keras, steps: int) -> tuple[int, ...]:
    """The shape of an output without the batch. An open axis is that of the steps."""
    return tuple(steps if n is None else int(n) for n in tuple(output.shape)[1:])
