"""Rebuild the configuration of an operator between layers: only the names, tensors and numbers that it may have.

A file of Keras 2 names a function of TensorFlow, and one of Keras 3 a class; both name their arguments. A call of
constants alone would run while the model is read, with any amount of memory. So each call must take a tensor.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from convert.errors import Refused
from convert.layers.operators import names
from convert.untrusted import limits

Config: TypeAlias = dict[str, Any]

_DTYPES = frozenset({"bool", "float32", "float64", "int32", "int64"})
_TEXTS = frozenset({"dtype", "out_type"})  # parameters that are texts
CONSTANTS = frozenset({"__numpy__", "__tensor__"})
_CONSTANT_VALUE = "_CONSTANT_VALUE"  # Keras 2's word in the place of a layer's name
_REFERENCE = (3, 4)  # a tensor of Keras 2: layer, call, output, and other arguments
_LARGEST = 2**31


def rebuilt(place: str, layer: Config) -> Config:
    """Rebuild an operator of either framework. Raises Refused for anything unknown.

    Raises AttributeError, KeyError, TypeError or ValueError if the configuration does not have the form of an operator.
    """
    kind, inner = layer["class_name"], layer["config"]
    name = str(layer.get("name") or inner["name"])
    found: Config = {"name": str(inner["name"])}
    if names.is_wrapper(kind, layer.get("module")):
        names.check_function(place, inner.get("function"))
        operator = names.TENSORFLOW[inner["function"]]
        found |= {"function": inner["function"], "dtype": "float32", "trainable": True}
        calls = [_keras_2_call(place, operator, node) for node in layer.get("inbound_nodes") or []]
    else:
        operator = names.KERAS[kind]
        attributes = operator.names(operator.attributes)
        for key, value in inner.items():
            if key in attributes:
                found[key] = _argument(place, key, value)
            elif key != "name" and value not in (None, False):
                raise Refused.at(place, f"{kind} with {key} cannot be converted")
        calls = [_keras_3_call(place, operator, node) for node in layer.get("inbound_nodes") or []]
    rest = {key: str(layer[key]) for key in ("module", "registered_name") if layer.get(key) is not None}
    if kind in names.WRAPPERS and "module" in rest:
        rest["module"] = names.WRAPPER_MODULE
    return {"class_name": kind, "config": found, "name": name, **rest, "inbound_nodes": calls}


def constant(place: str, value: Config) -> Config:
    """Rebuild an array or a constant tensor: numbers, in lists of any depth that arrays have."""
    config = value["config"]
    if config["dtype"] not in _DTYPES:
        raise Refused.at(place, f"a constant of {str(config['dtype'])[:80]!r} cannot be converted")
    found = {"value": _numbers(place, config["value"]), "dtype": config["dtype"]}
    return {"class_name": value["class_name"], "config": found}


def _keras_3_call(place: str, operator: names.Operator, node: Config) -> Config:
    allowed = operator.names(operator.parameters)
    args = [_argument(place, key, value) for key, value in zip(allowed, node["args"], strict=False)]
    kwargs = {
        key: _argument(place, key, value) for key, value in node["kwargs"].items() if _known(place, allowed, key, value)
    }
    if len(node["args"]) > len(allowed) or not _has_tensor([*args, *kwargs.values()]):
        raise Refused.at(place, "an operator on constants alone cannot be converted")
    return {"args": args, "kwargs": kwargs}


def _keras_2_call(place: str, operator: names.Operator, node: Any) -> Any:  # noqa: ANN401 - of a file, so of any type
    """A call is one tensor or constant with the other arguments, or a list of such."""
    if not (isinstance(node, list) and node and isinstance(node[0], str)):
        return [_keras_2_call(place, operator, part) for part in node]
    first, call, value, *others = node
    allowed = operator.names(operator.parameters)
    given = others[0] if others else {}
    arguments = {key: _argument(place, key, each) for key, each in given.items() if _known(place, allowed, key, each)}
    is_constant = first == _CONSTANT_VALUE
    if is_constant and not _has_tensor([*arguments.values()]):
        raise Refused.at(place, "an operator on constants alone cannot be converted")
    return [first, int(call), _argument(place, "", value) if is_constant else int(value), arguments]


def _known(place: str, allowed: list[str], key: str, value: object) -> bool:
    """Whether a parameter is passed on. The name of the result and empty options are not."""
    if key in allowed:
        return True
    if key == "name" or value in (None, False):
        return False
    raise Refused.at(place, f"an operator with {key[:80]!r} cannot be converted")


def _argument(place: str, key: str, value: Any) -> Any:  # noqa: ANN401 - of a file, so of any type
    """Rebuild an argument: numbers, tensors, parts of an index."""
    if key in _TEXTS and isinstance(value, str | dict):
        text = value["config"]["name"] if isinstance(value, dict) else value
        if text not in _DTYPES:
            raise Refused.at(place, f"the type {str(text)[:80]!r} cannot be converted")
        return text
    if isinstance(value, list):
        if _is_reference(value):
            return [value[0], int(value[1]), int(value[2])]
        return [_argument(place, "", each) for each in value]
    return _object(place, value) if isinstance(value, dict) else _number(place, value)


def _object(place: str, value: Config) -> Config:
    """Rebuild a tensor, a part of an index, or a constant."""
    kind = value.get("class_name")
    ends = ("start", "stop", "step")
    if kind is None:  # a slice of Keras 2
        return {name: _number(place, value[name]) for name in ends}
    if kind in CONSTANTS:
        return constant(place, value)
    if kind == "__tuple__":
        return {"class_name": kind, "items": [_argument(place, "", each) for each in value["items"]]}
    inner = value["config"]
    if kind == "__keras_tensor__":
        layer, *numbers = inner["keras_history"]
        history = [str(layer), *map(int, numbers)]
        found = {"shape": _numbers(place, inner["shape"]), "dtype": "float32", "keras_history": history}
    elif kind == "__slice__":
        found = {name: _number(place, inner[name]) for name in ends}
    elif kind == "__ellipsis__":
        found = {}
    else:
        raise Refused.at(place, f"{str(kind)[:80]} cannot be converted")
    return {"class_name": kind, "config": found}


def _numbers(place: str, value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - of a file, so of any type
    if not isinstance(value, list):
        return _number(place, value)
    if depth > limits.HDF5_RANK:
        raise Refused.at(place, f"a constant of more than {limits.HDF5_RANK} axes cannot be converted")
    return [_numbers(place, each, depth + 1) for each in value]


def _number(place: str, value: Any) -> float | None:  # noqa: ANN401 - of a file, so of any type
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < _LARGEST):
        return value
    raise Refused.at(place, f"the value {str(value)[:80]!r} of an operator cannot be converted")


def _is_reference(value: Any) -> bool:  # noqa: ANN401 - of a file, so of any type
    return len(value) in _REFERENCE and isinstance(value[0], str) and value[0] != _CONSTANT_VALUE


def _has_tensor(values: list[Any]) -> bool:
    for value in values:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            return True
        inner = value.get("items") if isinstance(value, dict) else value
        if isinstance(inner, list) and (_is_reference(inner) if inner else False):
            return True
        if isinstance(inner, list) and _has_tensor(inner):
            return True
    return False
