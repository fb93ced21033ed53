"""The same network in float64, built by its own framework: it shows how far float32 rounds its output."""

from __future__ import annotations

from typing import Any

import numpy as np

from convert.errors import Refused
from convert.graph import Keras

NO_SIGMOID = (
    "a mean is of what goes into the sigmoids that the models end in, but this one ends in something else; end it in"
    ' Dense(1, activation="sigmoid")'
)
_PACKAGES = frozenset({"keras", "tf_keras"})


def rebuilt(model: Keras) -> Keras:
    """The model with every layer in float64, and the same weights. Raises Refused if its framework cannot build it.

    Constants of the configuration, such as the value of a mask, keep the value that float32 gives them. Otherwise a
    masked step would no longer equal it.
    """
    try:
        # A class of another module cannot be found by its name, but the model has it.
        layers = model._flatten_layers(include_self=False)  # noqa: SLF001 - the inner layers of any wrapper
        others = {type(x).__name__: type(x) for x in layers if type(x).__module__.partition(".")[0] not in _PACKAGES}
        made = type(model).from_config(_widened(model.get_config()), custom_objects=others)
        made.set_weights(model.get_weights())
        for layer in made._flatten_layers(include_self=False):  # noqa: SLF001
            if hasattr(layer, "finalize_state"):  # of Normalization: its constants follow from its weights
                layer.finalize_state()
    except Exception as error:  # noqa: BLE001 - a framework raises any error of its layers
        reason = str(error).strip().partition("\n")[0]
        raise Refused(f"the network cannot be built in float64 ({type(error).__name__}: {reason})") from None
    narrow = [weight.name for weight in made.weights if _dtype(weight) == "float32"]
    if narrow or _dtype(made.outputs[0]) != "float64":
        raise Refused(f"the network cannot be built in float64 ({(narrow or ['its output'])[0]} stays in float32)")
    return made


def end_before_sigmoid(model: Keras) -> None:
    """Change a model so that it answers what its last layer gives to its sigmoid. Raises Refused if that has none."""
    layer = model.outputs[0]._keras_history[0]  # noqa: SLF001 - both frameworks have it, and no public form
    while getattr(layer, "layers", None) and getattr(layer, "outputs", None):
        layer = layer.outputs[0]._keras_history[0]  # noqa: SLF001
    if getattr(getattr(layer, "activation", None), "__name__", "") != "sigmoid":
        raise Refused.at(layer.name, NO_SIGMOID)
    layer.activation = _unchanged


def _unchanged(values: Keras) -> Keras:
    return values


def _widened(value: Any) -> Any:  # noqa: ANN401 - of a configuration, so of any type
    if isinstance(value, dict):
        return {key: "float64" if key == "dtype" and _is_float32(x) else _widened(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_widened(x) for x in value)
    if isinstance(value, float):
        return float(np.float32(value))
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    return value


def _is_float32(dtype: object) -> bool:
    """Whether an entry `dtype` is float32: a name, or a serialised policy."""
    name = (dtype.get("config") or {}).get("name") if isinstance(dtype, dict) else dtype
    return bool(name == "float32")


def _dtype(tensor: Keras) -> str:
    """The name of a dtype, which is a string in Keras 3 and a class of TensorFlow in Keras 2."""
    return str(getattr(tensor.dtype, "name", tensor.dtype))
