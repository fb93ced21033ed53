"""Rebuild a Keras file's configuration from the parts that inference needs and the table of layers knows.

Both frameworks turn every part of a configuration that has a class into an object, at any depth: they import the module
that it names, or run the code that it holds. So no part is passed on unchecked.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

from convert.errors import Refused
from convert.layers import activations, table
from convert.untrusted.models import operator_config

Config: TypeAlias = dict[str, Any]

# The modules with Keras' layers and models. Its other modules, such as keras.utils, hold tools.
_OWN_MODULE = re.compile(r"(tf_)?keras(\.src)?(\.(layers|models|engine)(\.\w+)*)?")
# Only training needs these. Keras uses its defaults.
_OF_TRAINING = re.compile(r".*(initializer|regularizer|constraint)")
# The keys of inner layers in wrappers such as Bidirectional.
_WRAPPED = ("layer", "backward_layer")
_ACTIVATIONS = ("activation", "recurrent_activation")
_FUNCTION_MODULES = (None, "builtins", "keras.activations", "tf_keras.activations")
# Other keys of a serialised layer that are passed on. A registered name is not: Keras would look it up first.
_KEPT = ("name", "module", "inbound_nodes", "build_config", "shared_object_id")
# Layers that must compute in float32. An input can have another dtype, because the first layer casts it.
_COMPUTING = table.KNOWN - table.MODELS - {"InputLayer"}
# Values that JSON cannot express. Each is rebuilt from these keys only: with a module, Keras would import a class.
_VALUES = {"__keras_tensor__": ("config",), "__tuple__": ("items",), "TensorShape": ("items",)}


def rebuilt(config: Config) -> Config:
    """Rebuild a model's configuration without the parts for training. Raises Refused for anything unknown.

    Raises AttributeError, TypeError or ValueError if the configuration does not have the form of a model's.
    """
    model = _layer(config)
    if model["class_name"] not in table.MODELS:
        raise ValueError(f"it holds a single {model['class_name']} instead of a model")
    return model


def _layer(layer: Config) -> Config:
    kind, module, inner = str(layer.get("class_name")), layer.get("module"), layer.get("config")
    name = layer.get("name") or (inner.get("name") if isinstance(inner, dict) else None) or kind
    place = f"layer {name!r}"
    table.check_known(place, kind, module)
    own = module is None or _OWN_MODULE.fullmatch(module) or table.is_operator(kind, module)
    if not (own or table.is_mask_operation(kind, module)):
        raise Refused.at(place, f"a layer of class {kind} of {module} cannot be converted")
    if (registered := layer.get("registered_name")) not in {None, kind}:
        raise Refused.at(place, f"a layer of class {registered} cannot be converted")
    if table.is_operator(kind, module) and not _is_mask(layer):
        return operator_config.rebuilt(place, layer)
    if kind == "Sequential" and isinstance(inner, list):  # the form of early releases
        found: object = [_layer(x) for x in inner]
    elif isinstance(inner, dict):
        _check_keys(place, inner)
        found = {key: _value(place, kind, key, x) for key, x in inner.items() if not _OF_TRAINING.fullmatch(key)}
    else:
        raise TypeError(f"the configuration of {place} is a {type(inner).__name__}")
    constants = kind == "MultiHeadAttention"  # of attention_mask
    kept = {key: _data(place, layer[key], constants=constants) for key in _KEPT if key in layer}
    return {"class_name": kind, "config": found, **kept}


def _is_mask(layer: Config) -> bool:
    """Whether an operation of Keras 3 works on masks, which are bool: then it is skipped by the conversion."""
    return '"dtype": "bool"' in json.dumps(layer.get("inbound_nodes"))


def _value(place: str, kind: str, key: str, value: Any) -> object:  # noqa: ANN401 - of a file, so of any type
    """Rebuild one entry of a layer's configuration."""
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
    """Rebuild an activation: the name of a Keras function, or a layer."""
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
    """Check a dtype, or the dtype of a policy, and return its name."""
    name = (value.get("config") or {}).get("name") if isinstance(value, dict) else value
    if name not in {None, "float32"}:
        computed = str(name).removeprefix("mixed_")
        raise Refused.at(place, f"{kind} computes in {computed}, but only float32 can be converted")
    return None if name is None else "float32"


def _data(place: str, value: Any, *, constants: bool = False) -> Any:  # noqa: ANN401 - of a file, so of any type
    """Return plain data. Raises Refused for values with a class or a special meaning."""
    if isinstance(value, list):
        return [_data(place, x, constants=constants) for x in value]
    if not isinstance(value, dict):
        return value
    if "class_name" in value:
        kind = str(value["class_name"])
        if constants and kind in operator_config.CONSTANTS:
            return operator_config.constant(place, value)
        if kind not in _VALUES:
            of = f" of {value['module']}" if value.get("module") else ""
            raise Refused.at(place, f"{kind}{of} cannot be converted")
        return {"class_name": kind, **{key: _data(place, value[key], constants=constants) for key in _VALUES[kind]}}
    _check_keys(place, value)
    return {key: _data(place, x, constants=constants) for key, x in value.items()}


def _check_keys(place: str, config: Config) -> None:
    """Refuse keys that tell a reader of configurations to create an object."""
    for key in config:
        if key == "class_name" or key.startswith("__"):
            raise Refused.at(place, f"{key} cannot be converted; only plain values are expected here")
