"""Build a graph with tf2onnx, from a TensorFlow function of the whole network.

`tf2onnx.convert.from_keras` raises KeyError for most models of Keras 3, so the function is traced here.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import onnx
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network, table
from convert.layers.network import INPUT, OUTPUT
from convert.networks import cleaning
from core.bundles.manifest import OPSET

_PACKAGE = "tf2onnx"


def build(model: Keras, answer: Callable[[Keras], Keras], window: tuple[int, int], width: int = 1) -> onnx.ModelProto:
    """Build the graph of a stage, as convert.layers.network.build does.

    answer: the stage as a function of TensorFlow, from (batch, *window) to (batch, width); model: what it runs.

    A stateful layer starts without a state. Raises Refused for what TensorFlow cannot trace or tf2onnx not convert.
    """
    _check_calls(model)
    with _quiet():
        import tensorflow as tf  # noqa: PLC0415 - takes seconds; the model's framework has imported it
        from tf2onnx import convert  # noqa: PLC0415 - changes variables of TensorFlow's environment

        function = tf.function(answer)
        signature = [tf.TensorSpec((None, *window), tf.float32, name=INPUT)]
        try:
            with _stateless(model):
                traced = function.get_concrete_function(*signature)
                found, _ = convert.from_function(function, signature, opset=OPSET)
        except Exception as error:  # noqa: BLE001 - TensorFlow and tf2onnx raise any error
            first_line = str(error).strip().partition("\n")[0]
            raise Refused(f"tf2onnx cannot convert it: {type(error).__name__}: {first_line}") from None
    try:
        return cleaning.cleaned(found, _captured(traced), ((INPUT, window), (OUTPUT, (width,))))
    except onnx.checker.ValidationError as error:
        raise Refused(f"tf2onnx wrote a graph that is not valid: {str(error).strip().partition(chr(10))[0]}") from None


def _check_calls(model: Keras) -> None:
    """Refuse a layer that stays random in predictions: tf2onnx would leave a dropout out."""
    for nodes in getattr(network.functional(model), "_nodes_by_depth", {}).values():
        for node in nodes:
            layer = getattr(node, "operation", None) or node.layer
            if type(layer).__name__ in table.MODELS:
                _check_calls(layer)
            arguments = getattr(node, "arguments", None)
            given = arguments.kwargs if arguments is not None else getattr(node, "call_kwargs", None) or {}
            if given.get("training"):
                kind = type(layer).__name__
                raise Refused.at(layer.name, f"{kind} is called with training=True, so its predictions are random")


def _captured(traced: Keras) -> dict[str, NDArray[Any]]:
    """The constants that the function holds, by the names that tf2onnx gives them as inputs."""
    return {
        inside.name: outside.numpy()
        for outside, inside in traced.graph.captures
        if hasattr(outside, "numpy") and inside.dtype.name not in {"resource", "variant"}
    }


@contextmanager
def _stateless(model: Keras) -> Iterator[None]:
    """Within this block, no layer keeps its state: a graph has none."""
    stateful = [layer for layer in _layers(model) if getattr(layer, "stateful", False) and hasattr(layer, "cell")]
    for layer in stateful:
        layer.stateful = False
    try:
        yield
    finally:
        for layer in stateful:
            layer.stateful = True


def _layers(model: Keras) -> list[Keras]:
    found = list(model._flatten_layers())  # noqa: SLF001 - both frameworks have it, and no public form
    return [layer for layer in found if layer is not model]


@contextmanager
def _quiet() -> Iterator[None]:
    """Within this block, tf2onnx logs nothing: it reports each step, and the report has what a user needs.

    Warnings of TensorFlow's tracing are about its own future releases.
    """
    loggers = [logging.getLogger(name) for name in (_PACKAGE, "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
