"""A Keras file's configuration, rebuilt from what inference needs and what the table of layers knows.

Both frameworks turn every part of a configuration that has a class into an object, wherever it lies: they import the
module that it names, or run the code that it holds. So nothing is passed on as it was found.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from convert.errors import Refused
from convert.layers import activations, table

Config: TypeAlias = dict[str, Any]

# Where Keras has its layers and models. Any other module of its own, such as keras.utils, holds tools.
_OWN_MODULE = re.compile(r"(tf_)?keras(\.src)?(\.(layers|models|engine)(\.\w+)*)?")
# Training alone needs these. Keras fills in its own.
_OF_TRAINING = re.compile(r".*(initializer|regularizer|constraint)")
# Where a layer holds others: a model, and a wrapper such as Bidirectional.
_WRAPPED = ("layer", "backward_layer")
_ACTIVATIONS = ("activation", "recurrent_activation")
_FUNCTION_MODULES = (None, "builtins", "keras.activations", "tf_keras.activations")
# What else of a serialised layer is passed on; a registered name would be looked up before the class.
_KEPT = ("name", "module", "inbound_nodes", "build_config", "shared_object_id")
# An input may be of another dtype: the first layer casts it.
_COMPUTING = table.KNOWN - table.MODELS - {"InputLayer"}
# Values that JSON lacks. Each is rebuilt from these keys alone, since with a module it would be a class to import.
_VALUES = {"__keras_tensor__": ("config",), "__tuple__": ("items",), "TensorShape": ("items",)}


def rebuilt(config: Config) -> Config:
    """A model's configuration without what only training needs; raises Refused for anything unknown, with its place.

    Raises AttributeError, TypeError or ValueError where the configuration has not the form of a model's.
    """
    model = _layer(config)
    if model["class_name"] not in table.MODELS:
        raise ValueError(f"it holds a single {model['class_name']}")
    return model


def _layer(layer: Config) -> Config:
    kind, module, inner = str(layer.get("class_name")), layer.get("module"), layer.get("config")
    name = layer.get("name") or (inner.get("name") if isinstance(inner, dict) else None) or kind
    place = f"layer {name!r}"
    table.check_known(place, kind, module)
    if not (module is None or _OWN_MODULE.fullmatch(module) or table.is_mask_operation(kind, module)):
        raise Refused.at(place, f"a layer of class {kind} of {module} cannot be converted")
    if (registered := layer.get("registered_name")) not in {None, kind}:
        raise Refused.at(place, f"a layer of class {registered} cannot be converted")
    if kind == "Sequential" and isinstance(inner, list):  # as in the first years
        found: object = [_layer(x) for x in inner]
    elif isinstance(inner, dict):
        _check_keys(place, inner)
        found = {key: _value(place, kind, key, x) for key, x in inner.items() if not _OF_TRAINING.fullmatch(key)}
    else:
        raise TypeError(f"the configuration of {place} is a {type(inner).__name__}")
    return {"class_name": kind, "config": found, **{key: _data(place, layer[key]) for key in _KEPT if key in layer}}


def _value(place: str, kind: str, key: str, value: Any) -> object:  # noqa: ANN401 - of a file, so of any type
    """One entry of a layer's configuration."""
    if key == "layers" and kind in table.MODELS:
        return [_layer(x) for x in value]
    if key in _WRAPPED and value is not None:
        return _layer(value)
    if key in _ACTIVATIONS and value is not None:
        return _activation(place, key, value)
    if key == "dtype" and (isinstance(value, dict) or kind in _COMPUTING):
        return _dtype(place, kind, value)
    return _data(place, value)


def _activation(place: str, role: str, value: Any) -> object:  # noqa: ANN401 - of a file, so of any type
    """The name of a function of Keras', or a layer."""
    function = value
    if isinstance(value, dict):
        if value.get("class_name") in table.KNOWN:
            return _layer(value)
        function, module, registered = (value.get(key) for key in ("config", "module", "registered_name"))
        if module not in _FUNCTION_MODULES or registered not in (None, "function", function):
            function = value
    if not (isinstance(function, str) and activations.is_known(function)):
        raise Refused.at(place, f"{role} {function!r} cannot be converted")
    return function


def _dtype(place: str, kind: str, value: object) -> str | None:
    """A dtype's name, or that of a policy."""
    name = (value.get("config") or {}).get("name") if isinstance(value, dict) else value
    if name not in {None, "float32"}:
        computed = str(name).removeprefix("mixed_")
        raise Refused.at(place, f"{kind} computes in {computed}, only float32 can be converted")
    return None if name is None else "float32"


def _data(place: str, value: Any) -> Any:  # noqa: ANN401 - of a file, so of any type
    """Plain data; raises Refused for whatever has a class or a meaning of its own."""
    if isinstance(value, list):
        return [_data(place, x) for x in value]
    if not isinstance(value, dict):
        return value
    if "class_name" in value:
        kind = str(value["class_name"])
        if kind not in _VALUES:
            of = f" of {value['module']}" if value.get("module") else ""
            raise Refused.at(place, f"{kind}{of} cannot be converted")
        return {"class_name": kind, **{key: _data(place, value[key]) for key in _VALUES[kind]}}
    _check_keys(place, value)
    return {key: _data(place, x) for key, x in value.items()}


def _check_keys(place: str, config: Config) -> None:
    """These mark, for one reader of configurations or another, an object to be made."""
    for key in config:
        if key == "class_name" or key.startswith("__"):
            raise Refused.at(place, f"{key} cannot be converted, where plain values are expected")
