"""What a configuration says of a network, without a framework: its inputs, layers and outputs.

The configuration need not have been checked: whatever has another form than Keras writes is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

Config: TypeAlias = dict[str, Any]
Shape: TypeAlias = tuple[int | None, ...]

_SHAPES = ("batch_shape", "batch_input_shape")
_INNER = ("layer", "backward_layer", "cell")
# Layers that pass on what an activation before them gave.
_PASSING = {"Dropout", "Flatten", "Reshape", "ActivityRegularization", "Masking"}
_MOST, _DEEPEST, _RANK = 2_000, 20, 8


class Output(NamedTuple):
    """One output. name: of its layer. activation: None if it is not stated. direct: the layer itself has it."""

    name: str
    kind: str
    units: int | None
    activation: str | None
    direct: bool


class Layer(NamedTuple):
    """A layer. depth: 0 in the model itself, more in inner models and wrappers."""

    name: str
    kind: str
    config: Config
    depth: int
    whole: Config


def layers(model: Config) -> list[Layer]:
    """All layers in the order of the file, with those inside others behind them."""
    found: list[Layer] = []
    _add(found, _listed(model), 0)
    return found


def inputs(model: Config) -> list[Shape]:
    """The shapes of the inputs, with the batch. Empty if they are not stated."""
    listed = _listed(model)
    config = model.get("config")
    names = [*_references(config.get("input_layers"))] if isinstance(config, dict) else []
    if names:
        by_name = {name(layer): layer for layer in listed}
        shapes = [_shape(by_name[each]) for each in names if each in by_name]
        return [shape for shape in shapes if shape is not None]
    for layer in listed[:1]:
        if (shape := _shape(layer)) is not None:
            return [shape]
        return inputs(layer) if _listed(layer) else []
    return []


def outputs(model: Config) -> list[Output]:
    """The outputs in the file's order."""
    listed = _listed(model)
    config = model.get("config")
    names = [*_references(config.get("output_layers"))] if isinstance(config, dict) else []
    by_name = {name(layer): layer for layer in listed}
    if names:
        return [_output(by_name[each], by_name) for each in names if each in by_name]
    for i in range(len(listed) - 1, -1, -1):
        if _class(listed[i]) not in _PASSING:
            found = _output(listed[i], by_name)
            return [found if i == len(listed) - 1 else found._replace(direct=False)]
    return []


def name(layer: Config) -> str:
    """The name of a layer."""
    config = layer.get("config")
    return str(layer.get("name") or (config.get("name") if isinstance(config, dict) else None) or _class(layer))


def _output(layer: Config, by_name: dict[str, Config]) -> Output:
    config = layer.get("config")
    inner = outputs(layer) if _listed(layer) else []
    if inner:
        return inner[0]._replace(name=name(layer))
    config = config if isinstance(config, dict) else {}
    units = config.get("units")
    if _class(layer) in _PASSING:
        for each in _references(layer.get("inbound_nodes")):
            if each in by_name and by_name[each] is not layer:
                before = by_name[each]
                given = before.get("config")
                activation = _activation(before, given) if isinstance(given, dict) else None
                return Output(name(layer), _class(layer), None, activation, direct=False)
    activation = _activation(layer, config)
    return Output(name(layer), _class(layer), units if type(units) is int else None, activation, direct=True)


def _activation(layer: Config, config: Config) -> str | None:
    """The name of an activation: of a function, or the class of a layer."""
    if _class(layer) in {"Softmax", "ReLU", "LeakyReLU", "ELU", "PReLU"}:
        return _class(layer).lower()
    value: object = config.get("activation")
    for _ in range(2):
        if isinstance(value, dict):
            inner = value.get("config")
            value = inner if isinstance(inner, str) else value.get("class_name")
    if value is None and _class(layer) == "Dense":
        return "linear"
    return value if isinstance(value, str) else None


def _add(found: list[Layer], listed: list[Config], depth: int) -> None:
    for layer in listed:
        if len(found) >= _MOST or depth > _DEEPEST:
            return
        config = layer.get("config")
        config = config if isinstance(config, dict) else {}
        found.append(Layer(name(layer), _class(layer), config, depth, layer))
        inner = [config[key] for key in _INNER if isinstance(config.get(key), dict)]
        _add(found, [*_listed(layer), *inner], depth + 1)


def _listed(model: Config) -> list[Config]:
    """The layers of a model. An early Sequential is the list itself."""
    config = model.get("config")
    found = config.get("layers") if isinstance(config, dict) else config
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _class(layer: Config) -> str:
    return str(layer.get("class_name"))


def _shape(layer: Config) -> Shape | None:
    """The declared shape of an input, with the batch."""
    config = layer.get("config")
    if not isinstance(config, dict):
        return None
    for key in _SHAPES:
        value = config.get(key)
        if isinstance(value, dict):  # a tuple of Keras 3
            value = value.get("items")
        if isinstance(value, list) and len(value) <= _RANK and all(n is None or type(n) is int for n in value):
            return tuple(value)
    return None


def _references(value: object, depth: int = 0) -> Iterator[str]:
    """The names of layers in `input_layers`, `output_layers` or `inbound_nodes`, of any release."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        history = value.get("keras_history")
        if isinstance(history, list) and history:
            yield str(history[0])
            return
        value = [*value.values()]
    if isinstance(value, list):
        if len(value) > 1 and isinstance(value[0], str) and type(value[1]) is int:
            yield value[0]
            return
        for each in value:
            yield from _references(each, depth + 1)
