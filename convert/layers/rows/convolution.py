"""Convolutions over steps. Kernels in Keras are (width, inputs, outputs), in ONNX (outputs, inputs, width)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras, Tensor
from convert.layers.checks import channels_last, unmasked
from convert.layers.rows import activation_layers

Floats32: TypeAlias = NDArray[np.float32]


def padding(mode: str, length: int, width: int, stride: int) -> tuple[int, int]:
    """The zeros before and after `length` steps. `width` includes the gaps of a dilated kernel.

    For an odd number of zeros, TensorFlow's `same` puts the larger part after the steps.
    """
    if mode == "causal":
        return width - 1, 0
    if mode == "valid":
        return 0, 0
    missing = max((-(-length // stride) - 1) * stride + width - length, 0)
    return missing // 2, missing - missing // 2


def over_steps(graph: GraphBuilder, scope: str, x: Tensor, op: Callable[[str], str]) -> str:
    """Run `op` on (batch, features, steps), the layout of ONNX's convolutions and pools, and turn its result back."""
    turned = graph.value("Transpose", scope, graph.batch_major(x).name, perm=[0, 2, 1])
    return graph.value("Transpose", scope, op(turned), perm=[0, 2, 1])


def _convolution(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    kernel = layer.kernel.numpy().transpose(2, 1, 0)
    return _convolved(graph, scope, layer, x, [("kernel", kernel, layer.groups)])


def _depthwise(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    return _convolved(graph, scope, layer, x, [("kernel", _by_channel(layer), x.shape[-1])])


def _separable(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    pointwise = layer.pointwise_kernel.numpy().transpose(2, 1, 0)
    stages = [("depthwise_kernel", _by_channel(layer), x.shape[-1]), ("pointwise_kernel", pointwise, 1)]
    return _convolved(graph, scope, layer, x, stages)


def _by_channel(layer: Keras) -> Floats32:
    """(width, inputs, multiplier) as (inputs * multiplier, 1, width)."""
    # The attribute is called kernel in Keras 3's DepthwiseConv1D.
    kernel: Floats32 = (layer.depthwise_kernel if hasattr(layer, "depthwise_kernel") else layer.kernel).numpy()
    return kernel.transpose(1, 2, 0).reshape(-1, 1, len(kernel))


def _convolved(
    graph: GraphBuilder, scope: str, layer: Keras, x: Tensor, stages: list[tuple[str, Floats32, int]]
) -> Tensor:
    """Add one convolution for each (name, kernel, groups). Strides, dilation and padding belong to the first."""
    unmasked(scope, layer, x)
    channels_last(scope, layer)
    if layer.padding not in {"causal", "same", "valid"}:
        raise Refused.at(scope, f"{type(layer).__name__} with padding={layer.padding!r} cannot be converted")
    (stride,), (dilation,) = _one(layer.strides), _one(layer.dilation_rate)
    width = dilation * (stages[0][1].shape[2] - 1) + 1
    pads = padding(layer.padding, x.shape[0], width, stride)
    steps = (x.shape[0] + sum(pads) - width) // stride + 1

    def convolve(value: str) -> str:
        first: dict[str, Any] = {"strides": [stride], "dilations": [dilation], "pads": list(pads)}
        for i, (name, kernel, groups) in enumerate(stages):
            inputs = [value, graph.constant(f"{scope}/{name}", kernel)]
            if layer.use_bias and i == len(stages) - 1:
                inputs.append(graph.constant(f"{scope}/bias", layer.bias.numpy()))
            value = graph.value("Conv", scope, *inputs, group=groups, **(first if i == 0 else {}))
        return value

    y = Tensor(over_steps(graph, scope, x, convolve), (steps, stages[-1][1].shape[0]))
    return activation_layers.activated(graph, scope, layer.activation, y)


def _transposed(graph: GraphBuilder, scope: str, layer: Keras, x: Tensor) -> Tensor:
    """The gradient of a convolution, so kernels in Keras are (width, outputs, inputs), in ONNX the reverse."""
    channels_last(scope, layer)
    (stride,), (dilation,) = _one(layer.strides), _one(layer.dilation_rate)
    if layer.padding not in {"same", "valid"} or layer.output_padding not in (None, (None,)) or dilation != 1:
        options = f"padding={layer.padding!r}, output_padding={layer.output_padding} and dilation_rate={dilation}"
        raise Refused.at(scope, f"Conv1DTranspose with {options} cannot be converted")
    kernel = layer.kernel.numpy().transpose(2, 1, 0)
    width = kernel.shape[2]
    beyond = width - stride  # the steps that a convolution of the same stride would have taken as padding
    pads = (beyond // 2, beyond - beyond // 2) if layer.padding == "same" and beyond > 0 else (0, 0)
    attributes: dict[str, Any] = {"strides": [stride], "pads": list(pads), "output_padding": [max(-beyond, 0)]}
    inputs = [graph.constant(f"{scope}/kernel", kernel)]
    if layer.use_bias:
        inputs.append(graph.constant(f"{scope}/bias", layer.bias.numpy()))
    steps = (x.shape[0] - 1) * stride + max(width, stride) - sum(pads)
    name = over_steps(graph, scope, x, lambda value: graph.value("ConvTranspose", scope, value, *inputs, **attributes))
    return activation_layers.activated(graph, scope, layer.activation, Tensor(name, (steps, layer.filters)))


def _one(values: int | tuple[int, ...]) -> tuple[int, ...]:
    return (values,) if isinstance(values, int) else tuple(values)[-1:]


ROWS = {
    "Conv1D": _convolution,
    "Conv1DTranspose": _transposed,
    "DepthwiseConv1D": _depthwise,
    "SeparableConv1D": _separable,
}
