"""Rebuild a Keras file's configuration from the parts that inference needs and that are permitted.

Both frameworks turn every part of a configuration that has a class into an object, at any depth: they import the module
that it names, or run the code that it holds. So no part is passed on unchecked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from convert.errors import Refused
from convert.layers import activations, table
from convert.layers.rows import merging
from convert.untrusted.models import operator_config, permitted, ways_out

Config: TypeAlias = dict[str, Any]

# The modules with Keras' layers and models. Its other modules, such as keras.utils, hold tools.
_OWN_MODULE = re.compile(r"(tf_)?keras(\.src)?(\.(layers|models|engine)(\.\w+)*)?")
# Other problems that a message states, and characters of a name and of a value in it.
_MOST_STATED, _NAME, _SHOWN = 4, 60, 200
# Only training needs these. Keras uses its defaults.
_OF_TRAINING = re.compile(r".*(initializer|regularizer|constraint)")
# What a missing key means: releases before Keras 2.1.3 did not write it, and the default changed later.
_OLD_DEFAULTS: dict[str, Config] = {"GRU": {"reset_after": False}}
# Values that are the default, and that Keras 3 takes for functions of its own when it reads HDF5.
_LEFT_OUT = {("Attention", "score_mode", "dot")}
# The keys of inner layers in wrappers such as Bidirectional, and of the cells of RNN and StackedRNNCells.
_WRAPPED = ("layer", "backward_layer", "cell")
_WRAPPED_LISTS = ("cells",)
_INNER = {"layers", *_WRAPPED, *_WRAPPED_LISTS}
_ACTIVATIONS = ("activation", "recurrent_activation")
_FUNCTION = {"module": "builtins", "class_name": "function", "registered_name": "function"}
_FUNCTION_MODULES = (None, "builtins", "keras.activations", "tf_keras.activations")
# Other keys of a serialised layer that are passed on. A registered name is not: Keras would look it up first.
_KEPT = ("name", "module", "inbound_nodes", "build_config", "shared_object_id")
# Layers that can be called with constants: an attention_mask, or positions that are added to the window.
_WITH_CONSTANTS = merging.WITH_CONSTANTS | {"MultiHeadAttention"}
# These need not be float32: models do not compute, the first layer casts an input, and masks are bool.
_NOT_COMPUTING = table.MODELS | {"InputLayer"} | (table.MASK_OPERATIONS - table.KNOWN)
# Values that JSON cannot express. Each is rebuilt from these keys only: with a module, Keras would import a class.
_VALUES = {"__keras_tensor__": ("config",), "__tuple__": ("items",), "TensorShape": ("items",)}


def rebuilt(config: Config) -> Config:
    """Rebuild a model's configuration without the parts for training.

    Raises Refused for anything unknown; it names all layers that cannot be converted. Raises AttributeError, TypeError
    or ValueError if the configuration does not have the form of a model's.
    """
    _check_layers(config)
    model = _layer(config)
    if model["class_name"] not in table.MODELS:
        raise ValueError(f"it holds a single {model['class_name']} instead of a model")
    return model


def way(config: Config) -> str:
    """The way in which a rebuilt configuration is converted: `layers` is the table of layers."""
    return "layers" if all(_in_table(layer) for layer in _all_layers(config)) else "tf2onnx"


def _check_layers(config: Config) -> None:
    """Raise Refused if any layer, at any depth, cannot be converted. It names all of them."""
    unknown: list[tuple[str, str]] = []
    others: list[str] = []
    for layer in _all_layers(config):
        if (kind := _unknown(layer)) is not None:
            unknown.append((_name(layer), kind))
            continue
        try:
            _layer(_alone(layer))
        except Refused as error:
            others.append(str(error))
    if not unknown and not others:
        return
    said = others[:_MOST_STATED]
    if len(others) > _MOST_STATED:
        said.append(f"{len(others) - _MOST_STATED} more of this kind")
    raise Refused("; ".join([*ways_out.refusals(unknown), *said]))


def _all_layers(layer: object) -> Iterator[Config]:
    """A layer and the layers inside it, also inside layers that are not known."""
    if not isinstance(layer, dict):
        return
    yield layer
    inner = layer.get("config")
    within = inner
    if isinstance(inner, dict):
        listed = inner.get("layers")
        cells = [x for key in _WRAPPED_LISTS if isinstance(inner.get(key), list) for x in inner[key]]
        single = [inner.get(key) for key in _WRAPPED]
        within = [*(listed if isinstance(listed, list) else []), *single, *cells]
    for each in within if isinstance(within, list) else []:
        yield from _all_layers(each)


def _alone(layer: Config) -> Config:
    """A layer without the layers inside it."""
    inner = layer.get("config")
    if isinstance(inner, list):
        return {**layer, "config": []}
    if not isinstance(inner, dict):
        return layer
    return {**layer, "config": {key: x for key, x in inner.items() if key not in _INNER}}


def is_known(layer: Config) -> bool:
    """Whether the class of a layer, as it stands in the file, can be converted."""
    return _unknown(layer) is None


def _in_table(layer: Config) -> bool:
    kind, module, registered = (_text(layer.get(key)) for key in ("class_name", "module", "registered_name"))
    own = module is None or _OWN_MODULE.fullmatch(module)
    return registered in {None, kind} and bool(
        table.is_mask_operation(str(kind), module)
        or table.is_operator(str(kind), module)
        or (own and table.is_known(str(kind), module))
    )


def _unknown(layer: Config) -> str | None:
    """The class of a layer that cannot be converted, for a message. None if the table has the layer."""
    kind, module, registered = (_text(layer.get(key)) for key in ("class_name", "module", "registered_name"))
    kind = str(kind)
    own = module is None or _OWN_MODULE.fullmatch(module)
    ours = registered in {None, kind}
    if _in_table(layer) or _custom(layer) is not None:
        return None
    if ours and own and permitted.rules().fallback and kind in permitted.FALLBACK:
        return None
    shown = kind if ours or not own else str(registered)
    return shown[:_NAME] if own else f"{shown[:_NAME]} of {str(module)[:_NAME]}"


def _custom(layer: Config) -> str | None:
    """The name of the user's class that a layer has, or None."""
    kind, module, registered = (_text(layer.get(key)) for key in ("class_name", "module", "registered_name"))
    own = module is not None and _OWN_MODULE.fullmatch(module) is not None
    return permitted.rules().custom_class(str(kind), registered, own=own)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _name(layer: Config) -> str:
    inner = layer.get("config")
    name = layer.get("name") or (inner.get("name") if isinstance(inner, dict) else None) or layer.get("class_name")
    return str(name)[:_NAME]


def _layer(layer: Config) -> Config:
    kind, inner = str(layer.get("class_name")), layer.get("config")
    place = f"layer {_name(layer)!r}"
    if (unknown := _unknown(layer)) is not None:
        raise Refused.at(place, f"a layer of class {unknown} cannot be converted")
    if (custom := _custom(layer)) is not None:
        return _of_user(place, custom, layer)
    if table.is_operator(kind, _text(layer.get("module"))) and not _is_mask(layer):
        return operator_config.rebuilt(place, layer)
    if kind == "Sequential" and isinstance(inner, list):  # the form of early releases
        found: object = [_layer(x) for x in inner]
    elif isinstance(inner, dict):
        _check_keys(place, inner)
        given = _OLD_DEFAULTS.get(kind, {}) | inner
        found = {key: _value(place, kind, key, x) for key, x in given.items() if not _is_left_out(kind, key, x)}
    else:
        raise TypeError(f"the configuration of {place} is a {type(inner).__name__}")
    constants = kind in _WITH_CONSTANTS
    kept = {key: _data(place, layer[key], constants=constants) for key in _KEPT if key in layer}
    return {"class_name": kind, "config": found, **kept}


def _is_left_out(kind: str, key: str, value: object) -> bool:
    of_training = _OF_TRAINING.fullmatch(key) is not None
    return of_training or (isinstance(value, str) and (kind, key, value) in _LEFT_OUT)


def _is_mask(layer: Config) -> bool:
    """Whether an operation of Keras 3 works on masks, which are bool: then it is skipped by the conversion.

    A file can write bool anywhere, so only operations that Keras adds for masks are asked. Never a layer that names a
    function of TensorFlow.
    """
    adds = table.is_mask_operation(str(layer.get("class_name")), _text(layer.get("module")))
    return adds and '"dtype": "bool"' in json.dumps(layer.get("inbound_nodes"))


def _of_user(place: str, name: str, layer: Config) -> Config:
    """Rebuild a layer of the user's own class. Both frameworks find the class by its name only, not by a module."""
    inner = layer.get("config")
    if not isinstance(inner, dict):
        raise TypeError(f"the configuration of {place} is a {type(inner).__name__}")
    _check_keys(place, inner)
    found = {key: _of_user_value(place, name, key, x) for key, x in inner.items() if not _OF_TRAINING.fullmatch(key)}
    kept = {key: _data(place, layer[key]) for key in _KEPT if key in layer and key != "module"}
    module = {"module": None, "registered_name": name} if "module" in layer else {}
    return {"class_name": permitted.note(name), "config": found, **kept, **module}


def _of_user_value(place: str, name: str, key: str, value: Any) -> object:  # noqa: ANN401 - of a file, so of any type
    """Rebuild one entry of such a layer's configuration, which can hold layers under any key."""
    if isinstance(value, dict) and isinstance(value.get("config"), dict) and value.get("class_name") not in _VALUES:
        return _dtype(place, name, value) if key == "dtype" else _layer(value)
    if isinstance(value, list):
        return [_of_user_value(place, name, "", x) for x in value]
    return _value(place, name, key, value)


def _value(place: str, kind: str, key: str, value: Any) -> object:  # noqa: ANN401 - of a file, so of any type
    """Rebuild one entry of a layer's configuration."""
    if key == "layers" and kind in table.MODELS:
        return [_layer(x) for x in value]
    if key in _WRAPPED and value is not None:
        return _layer(value)
    if key in _WRAPPED_LISTS and isinstance(value, list):
        return [_layer(x) for x in value]
    if key in _ACTIVATIONS and value is not None:
        return _activation(place, key, value)
    if key == "dtype" and (isinstance(value, dict) or kind not in _NOT_COMPUTING):
        return _dtype(place, kind, value)
    return _data(place, value)


def _activation(place: str, role: str, value: Any) -> object:  # noqa: ANN401 - of a file, so of any type
    """Rebuild an activation: the name of a Keras function, or a layer."""
    function = value
    if isinstance(value, dict):
        if value.get("class_name") in permitted.BUILT_IN or _custom(value) is not None:
            return _layer(value)
        function, module, registered = (value.get(key) for key in ("config", "module", "registered_name"))
        if module not in _FUNCTION_MODULES or registered not in (None, "function", function):
            function = value
    names = [value.get("registered_name"), value.get("config")] if isinstance(value, dict) else [value]
    custom = permitted.rules().custom_function(*(name for name in names if isinstance(name, str)))
    if custom is not None:
        permitted.note(custom)
        # A name alone is looked up by old files only.
        return {**_FUNCTION, "config": custom} if isinstance(value, dict) else custom
    if not (isinstance(function, str) and activations.is_known(function)):
        raise Refused.at(place, f"{role} {repr(function)[:_SHOWN]} cannot be converted")
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
