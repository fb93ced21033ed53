"""What a network ends in: the activation that decides whether its answers are probabilities.

The values do not decide: a linear head that was trained on prices can answer within 0 to 1 on every window that is
tried. So this module walks back from the output to the layer that computes its values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network

# bounded: each value is within 0 to 1. distribution: so that the values of the last axis sum to 1, too.
# unbounded: anything else that is known. unknown: code of the user, which cannot be judged by its name.
Kind: TypeAlias = Literal["bounded", "distribution", "unbounded", "unknown"]


@dataclass(frozen=True)
class Ending:
    """What computes an output. what: an activation or a class, for messages. layer: its name."""

    kind: Kind
    what: str
    layer: str

    @property
    def is_activation(self) -> bool:
        """Whether `what` is an activation, and not another kind of layer."""
        return self.what[:1].islower() or self.what in _ACTIVATION_LAYERS


class _Producer(NamedTuple):
    layer: Keras
    inputs: list[Keras]
    result: int  # the number of the output
    axis: object  # of a softmax


_Inputs: TypeAlias = Callable[[int], Ending]

_BOUNDED = {"sigmoid", "hard_sigmoid", "sparse_sigmoid"}
_DISTRIBUTIONS = {"softmax", "sparsemax"}
_ACTIVATION_LAYERS = {"ELU", "LeakyReLU", "PReLU", "ReLU", "ThresholdedReLU"}
_FRAMEWORKS = {"tf_keras", "tensorflow", "keras"}
# Layers and operations that move values, or take a mean or an extreme of them. Names are compared without "_" and case.
_MOVING = re.compile(
    r"(spatial)?dropout([123]d)?|(alpha|gaussian)dropout|gaussiannoise|activityregularization|identity|masking|cast"
    r"|stopgradient|reshape|flatten|permute|transpose|repeatvector|squeeze|expanddims|getitem|cropping[123]d"
    r"|upsampling[123]d|zeropadding[123]d|(global)?(max|average)pooling[123]d|(reduce)?(mean|max|min)|concatenate"
)
# Those of them after which the values of the last axis still sum to 1, if the axis kept its length.
_KEEPING_ROWS = re.compile(
    r"(spatial)?dropout([123]d)?|(alpha|gaussian)dropout|gaussiannoise|activityregularization|identity|cast"
    r"|stopgradient|reshape|flatten|repeatvector|squeeze|expanddims|getitem|cropping1d|(global)?averagepooling1d"
)
_MERGING = {"average", "maximum", "minimum", "multiply"}
_RECURRENT = {"LSTM", "GRU", "SimpleRNN"}
_LSTM_STATE = 2  # the output that is the cell's state, which has no bound
_KEEPING_MERGES = {"concat", "mul", "ave"}
_MODULE_OF_LAMBDA = re.compile(r".*\.")


def of_output(model: Keras, output: Keras) -> Ending:
    """The ending of one of the model's outputs. Raises Refused if the model was not built."""
    return _WayBack(model, lambda _: Ending("unbounded", "Input", str(output.name))).at(output)


class _WayBack:
    """Walks back through one model. Each tensor is judged once, because many paths can lead to it."""

    def __init__(self, model: Keras, inputs: _Inputs) -> None:
        self._model = network.functional(model)
        if not getattr(self._model, "_nodes_by_depth", None):
            raise Refused.at(str(model.name), "the model was not built; build it and save it again")
        self._calls = _calls(self._model)
        self._inputs = {id(x): i for i, x in enumerate(self._model.inputs)}
        self._of_input = inputs
        self._known: dict[int, Ending] = {}

    def output(self, index: int) -> Ending:
        return self.at(self._model.outputs[index])

    def at(self, tensor: Keras) -> Ending:
        if id(tensor) not in self._known:
            call = self._calls.get(id(tensor))
            if call is None:
                found = self._of_input(self._inputs.get(id(tensor), 0))
            else:
                found = _of_call(call, tensor, lambda i: self.at(call.inputs[i]))
            self._known[id(tensor)] = found
        return self._known[id(tensor)]


def _calls(model: Keras) -> dict[int, _Producer]:
    """The call that made each tensor, by the tensor's id."""
    found = {}
    for nodes in model._nodes_by_depth.values():  # noqa: SLF001 - the graph has no public form
        for node in nodes:
            if node.is_input:
                continue
            if hasattr(node, "operation"):
                layer, inputs, options = node.operation, node.input_tensors, {}
            else:
                layer, inputs, options = node.layer, node.keras_inputs, node.call_kwargs
            axis = options.get("axis", getattr(layer, "axis", -1))
            for index, output in enumerate(_flat(node.outputs)):
                found[id(output)] = _Producer(layer, list(inputs), index, axis)
    return found


def _of_call(call: _Producer, output: Keras, given: _Inputs) -> Ending:
    """The ending of a call's output. given: the ending of an input, by its number."""
    layer = call.layer
    kind, name = type(layer).__name__, str(layer.name)
    if hasattr(layer, "layers") and hasattr(layer, "inputs"):
        return _WayBack(layer, given).output(call.result)
    operation = _MODULE_OF_LAMBDA.sub("", str(getattr(layer, "symbol", None) or kind))
    plain = operation.replace("_", "").lower()
    if _MOVING.fullmatch(plain):
        endings = [given(i) for i in range(len(call.inputs))]
        keeps = len(endings) == 1 and _KEEPING_ROWS.fullmatch(plain) and _last(call.inputs[0]) == _last(output)
        return _joined(endings, rows=bool(keeps))
    # An operation with a constant has one input. The operation Average can have any weights.
    if plain in _MERGING and len(call.inputs) > 1 and not (plain == "average" and _is_operation(layer)):
        return _joined([given(i) for i in range(len(call.inputs))], rows=plain == "average")
    if _is_operation(layer):
        return _of_operation(call, operation, name)
    return _of_layer(layer, kind, name, given, call)


def _of_layer(layer: Keras, kind: str, name: str, given: _Inputs, call: _Producer) -> Ending:  # noqa: PLR0911 - one a kind
    if type(layer).__module__.partition(".")[0] not in _FRAMEWORKS:
        return Ending("unknown", kind, name)
    if kind == "TimeDistributed":
        inner = layer.layer
        if hasattr(inner, "layers") and hasattr(inner, "inputs"):
            return _WayBack(inner, given).output(0)
        return _of_layer(inner, type(inner).__name__, name, given, call)
    if kind == "Bidirectional":
        endings = [_recurrent(x, name, call) for x in (layer.forward_layer, layer.backward_layer)]
        if layer.merge_mode not in _KEEPING_MERGES:
            return Ending("unbounded", f"Bidirectional(merge_mode={layer.merge_mode!r})", name)
        return _joined(endings, rows=False)
    if kind in _RECURRENT:
        return _recurrent(layer, name, call)
    if kind == "Activation" and getattr(layer.activation, "__name__", "") == "linear":
        return given(0)
    if kind == "Softmax":
        return _softmax(call.axis, name, len(call.inputs[0].shape))
    if hasattr(layer, "activation"):
        return _of_function(layer.activation, name)
    return Ending("unbounded", kind, name)


def _of_function(function: Keras, layer: str) -> Ending:
    """The ending of an activation: a function, or a layer as in Dense(8, activation=LeakyReLU(0.1))."""
    if hasattr(function, "get_config"):
        kind = type(function).__name__
        own = type(function).__module__.partition(".")[0] in _FRAMEWORKS
        if own and kind == "Softmax":
            return _softmax(function.axis, layer, 0)
        if own and kind == "Activation":
            return _of_function(function.activation, layer)
        return Ending("unbounded" if own else "unknown", kind, layer)
    name = str(getattr(function, "__name__", type(function).__name__))
    if str(getattr(function, "__module__", "")).partition(".")[0] not in _FRAMEWORKS:
        return Ending("unknown", name, layer)
    return _named(name, layer)


def _named(name: str, layer: str) -> Ending:
    if name in _BOUNDED:
        return Ending("bounded", name, layer)
    return Ending("distribution" if name in _DISTRIBUTIONS else "unbounded", name, layer)


def _softmax(axis: object, layer: str, rank: int) -> Ending:
    """A softmax over one axis. Over another axis than the last, each value is still within 0 to 1."""
    return Ending("distribution" if axis in (-1, rank - 1) else "bounded", "softmax", layer)


def _is_operation(layer: Keras) -> bool:
    return hasattr(layer, "symbol") or ".ops." in type(layer).__module__


def _of_operation(call: _Producer, operation: str, name: str) -> Ending:
    """An operation: of Keras 3, such as HardSigmoid, or a function of TensorFlow, such as nn.softmax."""
    function = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).lower()
    if function == "softmax":
        return _softmax(call.axis, name, len(call.inputs[0].shape))
    ending = _named(function, name)
    is_activation = ending.kind != "unbounded" or function in {"linear", "relu", "tanh", "softplus", "elu", "gelu"}
    return ending if is_activation else replace(ending, what=operation[:1].upper() + operation[1:])


def _recurrent(layer: Keras, name: str, call: _Producer) -> Ending:
    """A recurrent layer. Its output is a product, or a weighted mean, of what its activations give."""
    kind = type(layer).__name__
    if kind not in _RECURRENT or (kind == "LSTM" and call.result >= _LSTM_STATE):
        return Ending("unbounded", kind, name)
    # An initial state of GRU is part of the mean, and can have any value.
    if kind == "GRU" and len(call.inputs) > 1:
        return Ending("unbounded", "GRU with an initial state", name)
    inner = [_of_function(layer.activation, name)]
    if kind != "SimpleRNN":
        inner.append(_of_function(layer.recurrent_activation, name))
    found = _joined(inner, rows=False)
    return replace(found, what=f"{kind} with the activation {found.what}") if found.kind == "unbounded" else found


def _joined(endings: Sequence[Ending], *, rows: bool) -> Ending:
    """The ending of values that come from all of these. rows: whether the last axis of each is kept together."""
    for kind in ("unbounded", "unknown"):
        for ending in endings:
            if ending.kind == kind:
                return ending
    if rows and all(ending.kind == "distribution" for ending in endings):
        return endings[0]
    return replace(endings[0], kind="bounded")


def _last(tensor: Keras) -> int | None:
    shape = tuple(tensor.shape)
    return shape[-1] if len(shape) > 1 else None


def _flat(value: object) -> list[Keras]:
    if isinstance(value, dict):
        return [x for part in value.values() for x in _flat(part)]
    return [x for part in value for x in _flat(part)] if isinstance(value, list | tuple) else [value]
