"""The result and the parameters of each kind of layer, from its configuration alone.

No number is too small. Some are too large: layers without bias or scale are counted as if they had one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from convert.errors import Refused
from convert.untrusted import limits

Config: TypeAlias = dict[str, Any]

WINDOW_RANK = 2  # steps and features, without the batch


class Size(NamedTuple):
    """The largest shape that a tensor can have, without the batch: (..., steps, width).

    rank: its number of axes. outer: the product of the axes before the steps.
    """

    steps: int = 1
    width: int = 1
    rank: int = 2
    outer: int = 1

    @property
    def values(self) -> int:
        """The number of values of a window."""
        return self.outer * self.steps * self.width

    @property
    def longest(self) -> int:
        """At least the length of the longest axis."""
        return max(self.outer, self.steps, self.width)


class Sized(NamedTuple):
    """A layer's result and its number of parameters."""

    size: Size
    parameters: int = 0


Rule: TypeAlias = Callable[[str, Config, Size], Sized]


def count(name: str, value: Any, least: int = 0) -> int:  # noqa: ANN401 - of a file, so of any type
    """A number of a configuration. Raises ValueError if it is none, or less than `least`."""
    infinite = isinstance(value, float) and math.isinf(value)
    if type(value) not in (int, float, str) or infinite or not int(value) >= least:
        raise ValueError(f"layer {name!r} has the size {str(value)[:80]!r}")
    return int(value)


def of_shape(name: str, dims: list[int]) -> Size:
    """The size of a tensor with these axes, without the batch."""
    *outer, steps, width = [1, 1, *dims]
    return checked(name, Size(steps, width, max(len(dims), 1), math.prod(outer)))


def checked(name: str, size: Size) -> Size:
    """Raise Refused for a result that is too large."""
    if size.values > limits.VALUES:
        raise Refused(
            f"layer {name!r} makes {size.values:,} values of a window; more than {limits.VALUES:,} are not converted"
        )
    return size


def largest(sizes: list[Size]) -> Size:
    """A size that is not smaller than any of these."""
    return Size(*(max(values) for values in zip(*sizes, strict=True)))


def concatenated(config: Config, sizes: list[Size]) -> Size:
    """The size of several tensors along one axis."""
    most, axis = largest(sizes), config.get("axis", -1)
    if axis in {-1, most.rank}:
        return most._replace(width=sum(each.width for each in sizes))
    if most.rank <= WINDOW_RANK:
        return most._replace(steps=sum(each.steps for each in sizes))
    return most._replace(steps=sum(each.steps for each in sizes), outer=sum(each.outer for each in sizes))


def _numbers(name: str, value: Any, least: int = 0) -> list[int]:  # noqa: ANN401 - of a file, so of any type
    """One number or a list of them. Tuples of Keras 3 are objects."""
    found = value.get("items") if isinstance(value, dict) else value
    return [count(name, n, least) for n in found] if isinstance(found, list) else [count(name, found, least)]


def _one(name: str, config: Config, key: str, default: int | None = None) -> int:
    """The largest number under a key, at least 1."""
    found = config.get(key)
    return max(_numbers(name, default if found is None else found, 1))


def _channels(config: Config, size: Size, rule: Callable[[Size], Sized]) -> Sized:
    """Apply a rule to (steps, features), also if the layer has them as (features, steps)."""
    if config.get("data_format") in {None, "channels_last"}:
        return rule(size)
    found = rule(size._replace(steps=size.width, width=size.steps))
    if found.size.rank == 1:
        return found
    return found._replace(size=found.size._replace(steps=found.size.width, width=found.size.steps))


def _steps_after(name: str, config: Config, steps: int, width: int, stride: int) -> int:
    """The steps after a convolution or a pool."""
    if width > limits.STEPS:
        raise Refused(f"layer {name!r} spans {width:,} steps; more than {limits.STEPS:,} are not converted")
    if config.get("padding", "valid") == "valid":
        return max((steps - width) // stride + 1, 1)
    return -(-steps // stride)


def _convolution(name: str, config: Config, size: Size) -> Sized:
    def rule(size: Size) -> Sized:
        kernel, filters = _one(name, config, "kernel_size"), count(name, config.get("filters"))
        inputs = -(-size.width // _one(name, config, "groups", 1))
        span = _one(name, config, "dilation_rate", 1) * (kernel - 1) + 1
        steps = _steps_after(name, config, size.steps, span, _one(name, config, "strides", 1))
        return Sized(size._replace(steps=steps, width=filters), (kernel * inputs + 1) * filters)

    return _channels(config, size, rule)


def _by_channel(name: str, config: Config, size: Size) -> Sized:
    """Each channel has kernels of its own. SeparableConv1D adds a kernel over the channels."""

    def rule(size: Size) -> Sized:
        kernel, channels = _one(name, config, "kernel_size"), size.width * _one(name, config, "depth_multiplier", 1)
        span = _one(name, config, "dilation_rate", 1) * (kernel - 1) + 1
        steps = _steps_after(name, config, size.steps, span, _one(name, config, "strides", 1))
        checked(name, size._replace(steps=steps, width=channels))
        if config.get("filters") is None:
            return Sized(size._replace(steps=steps, width=channels), (kernel + 1) * channels)
        filters = count(name, config["filters"])
        return Sized(size._replace(steps=steps, width=filters), kernel * channels + (channels + 1) * filters)

    return _channels(config, size, rule)


def _transposed(name: str, config: Config, size: Size) -> Sized:
    def rule(size: Size) -> Sized:
        kernel, filters = _one(name, config, "kernel_size"), count(name, config.get("filters"))
        stride = _one(name, config, "strides", 1)
        longer = max(kernel - stride, 0) if config.get("padding", "valid") == "valid" else 0
        if config.get("output_padding") is not None:
            longer += kernel + stride + _one(name, config, "output_padding", 1)
        span = _one(name, config, "dilation_rate", 1) * (kernel - 1) + 1
        return Sized(
            size._replace(steps=size.steps * stride + longer + span - kernel, width=filters),
            (kernel * size.width + 1) * filters,
        )

    return _channels(config, size, rule)


def _pool(name: str, config: Config, size: Size) -> Sized:
    def rule(size: Size) -> Sized:
        width = _one(name, config, "pool_size", 2)
        stride = _one(name, config, "strides", width)
        return Sized(size._replace(steps=_steps_after(name, config, size.steps, width, stride)))

    return _channels(config, size, rule)


def _global_pool(_name: str, config: Config, size: Size) -> Sized:
    return _channels(config, size, lambda size: Sized(Size(1, size.width, 2 if config.get("keepdims") else 1)))


def _flatten(_name: str, _config: Config, size: Size) -> Sized:
    return Sized(Size(1, size.values, 1))


def _reshape(name: str, config: Config, size: Size) -> Sized:
    found = config["target_shape"]
    dims = [int(n) for n in (found["items"] if isinstance(found, dict) else found)]
    known = math.prod(_numbers(name, [n for n in dims if n != -1]))
    return Sized(of_shape(name, [-(-size.values // max(known, 1)) if n == -1 else n for n in dims]))


def _permute(_name: str, config: Config, size: Size) -> Sized:
    """The axes in another order. Of more than three axes, only the product of the outer ones is known."""
    if size.rank <= WINDOW_RANK:
        turned = config.get("dims") != [1, 2]
        return Sized(size._replace(steps=size.width, width=size.steps) if turned else size)
    return Sized(Size(size.longest, size.longest, size.rank, size.longest))


def _repeat(name: str, config: Config, size: Size) -> Sized:
    return Sized(Size(count(name, config.get("n")), size.values))


def _padding(name: str, config: Config, size: Size) -> Sized:
    before_and_after = _numbers(name, config.get("padding", 1))
    added = sum(before_and_after) * (2 if len(before_and_after) == 1 else 1)
    return _channels(config, size, lambda size: Sized(size._replace(steps=size.steps + added)))


def _cropping(name: str, config: Config, size: Size) -> Sized:
    cropped = _numbers(name, config.get("cropping", 1))
    removed = sum(cropped) * (2 if len(cropped) == 1 else 1)
    return Sized(size._replace(steps=max(size.steps - removed, 1)))


def _up_sampling(name: str, config: Config, size: Size) -> Sized:
    return Sized(size._replace(steps=size.steps * _one(name, config, "size", 2)))


def _normalization(_name: str, config: Config, size: Size) -> Sized:
    """Up to four weights for each place along one axis, or along several."""
    axis = config.get("axis", -1)
    axes = axis if isinstance(axis, list) else [axis]
    if len(axes) > 1:
        return Sized(size, 4 * size.values)
    # Axis 1 is that of the steps, or that of the features if there are no steps.
    return Sized(size, 4 * (size.width if axes in ([-1], [2]) and size.rank <= WINDOW_RANK else size.longest))


def _prelu(_name: str, config: Config, size: Size) -> Sized:
    """A weight for each value, but one for all steps if they are shared."""
    shared = config.get("shared_axes") or []
    return Sized(size, size.width if 1 in shared and size.rank <= WINDOW_RANK else size.values)


def _broadcast(name: str, config: Config, size: Size) -> Sized:
    """Lists of values, which broadcast: an input of one feature can become as wide as they are."""
    longest = max(_leaves(config.get(key)) for key in ("scale", "offset", "mean", "variance"))
    if longest > max(size.values, 1):
        raise Refused(f"layer {name!r} has {longest:,} values for an input of {size.values:,}")
    return _normalization(name, config, size)


def _leaves(value: Any) -> int:  # noqa: ANN401 - of a file, so of any type
    if isinstance(value, dict):
        return sum(_leaves(each) for each in value.values())
    return sum(_leaves(each) for each in value) if isinstance(value, list) else 1


RULES: dict[str, Rule] = {
    "AveragePooling1D": _pool,
    "BatchNormalization": _normalization,
    "Conv1D": _convolution,
    "Conv1DTranspose": _transposed,
    "Cropping1D": _cropping,
    "DepthwiseConv1D": _by_channel,
    "Flatten": _flatten,
    "GlobalAveragePooling1D": _global_pool,
    "GlobalMaxPooling1D": _global_pool,
    "GroupNormalization": _normalization,
    "LayerNormalization": _normalization,
    "MaxPooling1D": _pool,
    "Normalization": _broadcast,
    "PReLU": _prelu,
    "Permute": _permute,
    "RMSNormalization": _normalization,
    "RepeatVector": _repeat,
    "Rescaling": _broadcast,
    "Reshape": _reshape,
    "SeparableConv1D": _by_channel,
    "UpSampling1D": _up_sampling,
    "ZeroPadding1D": _padding,
}
