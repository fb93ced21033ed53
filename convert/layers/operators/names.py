"""The operators that files may name: operations of Keras 3 by class, functions of TensorFlow by their public name.

A file of Keras 2 names a function, which the framework would look up, whatever it does. So only those listed here are
accepted (convert.untrusted.models.keras_config).
"""

from __future__ import annotations

from typing import NamedTuple

from convert.errors import Refused
from convert.graph import GraphBuilder, Keras
from convert.layers.calls import Given, Value
from convert.layers.operators import arithmetic, axes
from convert.layers.operators.arithmetic import Emit

_MODULES = frozenset(
    {f"keras.src.ops.{module}" for module in ("core", "math", "nn", "numpy")} | {"keras.src.activations.activations"}
)
WRAPPERS = frozenset({"SlicingOpLambda", "TFOpLambda"})
WRAPPER_MODULE = "tf_keras.src.layers.core.tf_op_layer"
# Releases of Keras 2 have different names for the module.
_WRAPPER_MODULES = frozenset(
    {None, "keras.layers"} | {f"{root}.layers.core.tf_op_layer" for root in ("keras", "keras.src", "tf_keras.src")}
)


class Operator(NamedTuple):
    """An operator.

    parameters: of the framework's function, in order, each with its name here if that differs, as in "input_tensor=x".
    attributes: of an operation of Keras 3, in the same form.
    """

    emit: Emit
    parameters: str = "x"
    attributes: str = ""

    @staticmethod
    def names(text: str) -> list[str]:
        """The framework's names in `parameters` or `attributes`."""
        return [name for name, _ in _pairs(text)]


_EACH: dict[str, Emit] = {
    "abs": arithmetic.each("Abs"),
    "cos": arithmetic.each("Cos"),
    "exp": arithmetic.each("Exp"),
    "hard_sigmoid": arithmetic.each("HardSigmoid", alpha=1.0 / 6.0, beta=0.5),  # of Keras 3
    "log": arithmetic.each("Log"),
    "log1p": arithmetic.log_of_one_more,
    "negative": arithmetic.each("Neg"),
    "reciprocal": arithmetic.each("Reciprocal"),
    "rsqrt": arithmetic.one_over_root,
    "sign": arithmetic.each("Sign"),
    "sin": arithmetic.each("Sin"),
    "sqrt": arithmetic.each("Sqrt"),
    "square": arithmetic.square,
}
_BINARY = {
    name: arithmetic.binary(op)
    for name, op in {
        "add": "Add",
        "divide": "Div",
        "maximum": "Max",
        "minimum": "Min",
        "multiply": "Mul",
        "power": "Pow",
        "subtract": "Sub",
    }.items()
}
_REDUCTION = {
    "max": arithmetic.reduction("ReduceMax"),
    "mean": arithmetic.reduction("ReduceMean"),
    "min": arithmetic.reduction("ReduceMin"),
    "prod": arithmetic.reduction("ReduceProd"),
    "std": arithmetic.variance(root=True),
    "sum": arithmetic.reduction("ReduceSum"),
    "var": arithmetic.variance(root=False),
}
_ACTIVATIONS = {
    name: arithmetic.activation(name)
    for name in ("relu", "relu6", "selu", "sigmoid", "softplus", "softsign", "tanh", "log_sigmoid")
}

KERAS: dict[str, Operator] = {
    "Absolute": Operator(_EACH["abs"]),
    "Add": Operator(_BINARY["add"], "x y"),
    "Cast": Operator(axes.cast, "x", "dtype"),
    "Clip": Operator(arithmetic.clip, "x", "x_min=low x_max=high"),
    "Concatenate": Operator(axes.concatenate, "values", "axis"),
    "Cos": Operator(_EACH["cos"]),
    "Divide": Operator(_BINARY["divide"], "x y"),
    "Elu": Operator(arithmetic.elu, "x", "alpha"),
    "Exp": Operator(_EACH["exp"]),
    "ExpandDims": Operator(axes.expand_dims, "x", "axis"),
    "Flip": Operator(axes.flip, "x", "axis"),
    "Gelu": Operator(arithmetic.gelu, "x", "approximate"),
    "GetItem": Operator(axes.get_item, "x key"),
    "HardSigmoid": Operator(_EACH["hard_sigmoid"]),
    "LeakyRelu": Operator(arithmetic.relu, "x", "negative_slope=slope"),
    "Log": Operator(_EACH["log"]),
    "Log1p": Operator(_EACH["log1p"]),
    "LogSigmoid": Operator(_ACTIVATIONS["log_sigmoid"]),
    "LogSoftmax": Operator(arithmetic.over_axis("LogSoftmax"), "x", "axis"),
    "Matmul": Operator(arithmetic.matmul, "x y"),
    "Max": Operator(_REDUCTION["max"], "x", "axis keepdims"),
    "Maximum": Operator(_BINARY["maximum"], "x y"),
    "Mean": Operator(_REDUCTION["mean"], "x", "axis keepdims"),
    "Min": Operator(_REDUCTION["min"], "x", "axis keepdims"),
    "Minimum": Operator(_BINARY["minimum"], "x y"),
    "Multiply": Operator(_BINARY["multiply"], "x y"),
    "Negative": Operator(_EACH["negative"]),
    "Power": Operator(_BINARY["power"], "x y"),
    "Prod": Operator(_REDUCTION["prod"], "x", "axis keepdims"),
    "ReLU": Operator(arithmetic.relu, "x", "negative_slope=slope max_value=ceiling threshold"),
    "Reciprocal": Operator(_EACH["reciprocal"]),
    "Relu": Operator(_ACTIVATIONS["relu"]),
    "Relu6": Operator(_ACTIVATIONS["relu6"]),
    "Reshape": Operator(axes.reshape, "x", "newshape=shape"),
    "Rsqrt": Operator(_EACH["rsqrt"]),
    "Selu": Operator(_ACTIVATIONS["selu"]),
    "Sigmoid": Operator(_ACTIVATIONS["sigmoid"]),
    "Sign": Operator(_EACH["sign"]),
    "Silu": Operator(arithmetic.silu),
    "Sin": Operator(_EACH["sin"]),
    "Softmax": Operator(arithmetic.over_axis("Softmax"), "x", "axis"),
    "Softplus": Operator(_ACTIVATIONS["softplus"]),
    "Softsign": Operator(_ACTIVATIONS["softsign"]),
    "Split": Operator(axes.split_at, "x", "indices_or_sections=places axis"),
    "Sqrt": Operator(_EACH["sqrt"]),
    "Square": Operator(_EACH["square"]),
    "Squeeze": Operator(axes.squeeze, "x", "axis"),
    "Stack": Operator(axes.stack, "values", "axis"),
    "Std": Operator(_REDUCTION["std"], "x", "axis keepdims"),
    "StopGradient": Operator(axes.same),
    "Subtract": Operator(_BINARY["subtract"], "x y"),
    "Sum": Operator(_REDUCTION["sum"], "x", "axis keepdims"),
    "Swapaxes": Operator(axes.swap_axes, "x", "axis1=one axis2=other"),
    "Tanh": Operator(_ACTIVATIONS["tanh"]),
    "Tile": Operator(axes.tile, "x", "repeats"),
    "Transpose": Operator(axes.transpose, "x", "axes=order"),
    "TrueDivide": Operator(_BINARY["divide"], "x y"),
    "Unstack": Operator(axes.unstack, "x", "num axis"),
    "Var": Operator(_REDUCTION["var"], "x", "axis keepdims"),
}

_REDUCED = "input_tensor=x axis keepdims"
TENSORFLOW: dict[str, Operator] = {
    "__operators__.add": Operator(_BINARY["add"], "x y"),
    "__operators__.getitem": Operator(axes.get_item, "tensor=x slice_spec=key var"),
    "cast": Operator(axes.cast, "x dtype"),
    "clip_by_value": Operator(arithmetic.clip, "t=x clip_value_min=low clip_value_max=high"),
    "compat.v1.shape": Operator(axes.shape_of, "input=x name out_type"),
    "compat.v1.squeeze": Operator(axes.squeeze, "input=x axis"),
    "compat.v1.transpose": Operator(axes.transpose, "a=x perm=order"),
    "concat": Operator(axes.concatenate, "values axis"),
    "expand_dims": Operator(axes.expand_dims, "input=x axis"),
    "identity": Operator(axes.same, "input=x"),
    "linalg.matmul": Operator(arithmetic.matmul, "a=x b=y transpose_a=turn_x transpose_b=turn_y"),
    "math.abs": Operator(_EACH["abs"]),
    "math.add": Operator(_BINARY["add"], "x y"),
    "math.cos": Operator(_EACH["cos"]),
    "math.divide": Operator(_BINARY["divide"], "x y"),
    "math.exp": Operator(_EACH["exp"]),
    "math.log": Operator(_EACH["log"]),
    "math.log1p": Operator(_EACH["log1p"]),
    "math.log_sigmoid": Operator(_ACTIVATIONS["log_sigmoid"]),
    "math.maximum": Operator(_BINARY["maximum"], "x y"),
    "math.minimum": Operator(_BINARY["minimum"], "x y"),
    "math.multiply": Operator(_BINARY["multiply"], "x y"),
    "math.negative": Operator(_EACH["negative"]),
    "math.pow": Operator(_BINARY["power"], "x y"),
    "math.reciprocal": Operator(_EACH["reciprocal"]),
    "math.reduce_max": Operator(_REDUCTION["max"], _REDUCED),
    "math.reduce_mean": Operator(_REDUCTION["mean"], _REDUCED),
    "math.reduce_min": Operator(_REDUCTION["min"], _REDUCED),
    "math.reduce_prod": Operator(_REDUCTION["prod"], _REDUCED),
    "math.reduce_std": Operator(_REDUCTION["std"], _REDUCED),
    "math.reduce_sum": Operator(_REDUCTION["sum"], _REDUCED),
    "math.reduce_variance": Operator(_REDUCTION["var"], _REDUCED),
    "math.rsqrt": Operator(_EACH["rsqrt"]),
    "math.sigmoid": Operator(_ACTIVATIONS["sigmoid"]),
    "math.sign": Operator(_EACH["sign"]),
    "math.sin": Operator(_EACH["sin"]),
    "math.softplus": Operator(_ACTIVATIONS["softplus"], "features=x"),
    "math.sqrt": Operator(_EACH["sqrt"]),
    "math.square": Operator(_EACH["square"]),
    "math.subtract": Operator(_BINARY["subtract"], "x y"),
    "math.tanh": Operator(_ACTIVATIONS["tanh"]),
    "math.truediv": Operator(_BINARY["divide"], "x y"),
    "nn.elu": Operator(arithmetic.elu, "features=x"),
    "nn.gelu": Operator(arithmetic.gelu, "features=x approximate"),
    "nn.leaky_relu": Operator(arithmetic.leaky_relu, "features=x alpha=slope"),
    "nn.log_softmax": Operator(arithmetic.over_axis("LogSoftmax"), "logits=x axis"),
    "nn.relu": Operator(_ACTIVATIONS["relu"], "features=x"),
    "nn.relu6": Operator(_ACTIVATIONS["relu6"], "features=x"),
    "nn.selu": Operator(_ACTIVATIONS["selu"], "features=x"),
    "nn.silu": Operator(arithmetic.silu, "features=x beta"),
    "nn.softmax": Operator(arithmetic.over_axis("Softmax"), "logits=x axis"),
    "nn.softsign": Operator(_ACTIVATIONS["softsign"], "features=x"),
    "range": Operator(axes.counting, "start limit delta"),
    "reshape": Operator(axes.reshape, "tensor=x shape"),
    "reverse": Operator(axes.flip, "tensor=x axis"),
    "shape": Operator(axes.shape_of, "input=x out_type"),
    "split": Operator(axes.split, "value=x num_or_size_splits=sizes axis"),
    "squeeze": Operator(axes.squeeze, "input=x axis"),
    "stack": Operator(axes.stack, "values axis"),
    "stop_gradient": Operator(axes.same, "input=x"),
    "tile": Operator(axes.tile, "input=x multiples=repeats"),
    "transpose": Operator(axes.transpose, "a=x perm=order"),
    "unstack": Operator(axes.unstack, "value=x num axis"),
}
# Parameters that do not change a value that is converted.
_WITHOUT_EFFECT = ("out_type", "var")


def is_operation(kind: str, module: str | None) -> bool:
    """Whether this class and module are those of an operation of Keras 3 that is converted."""
    return module in _MODULES and kind in KERAS


def is_wrapper(kind: str, module: str | None) -> bool:
    """Whether this is one of the layers in which Keras 2 puts a function of TensorFlow."""
    return kind in WRAPPERS and module in _WRAPPER_MODULES


def check_function(place: str, name: object) -> None:
    """Raise Refused unless this function of TensorFlow can be converted."""
    if not (isinstance(name, str) and name in TENSORFLOW):
        raise Refused.at(place, f"the function tf.{name} cannot be converted")


def emit(graph: GraphBuilder, scope: str, layer: Keras, given: Given) -> list[Value]:
    """Add one call of an operator. Raises Refused."""
    if is_wrapper(type(layer).__name__, type(layer).__module__):
        check_function(scope, layer.symbol)
        kind, operator, options = f"tf.{layer.symbol}", TENSORFLOW[layer.symbol], {}
    else:
        kind, operator = type(layer).__name__, KERAS[type(layer).__name__]
        options = {own: getattr(layer, name) for name, own in _pairs(operator.attributes)}
    names = dict(_pairs(operator.parameters))
    found = given.bound(scope, kind, tuple(names))
    arguments = {names[name]: value for name, value in found.items() if names[name] not in _WITHOUT_EFFECT}
    try:
        results = operator.emit(graph, scope, **arguments, **options)
    except (TypeError, ValueError) as error:  # numpy's, of a shape or an option that does not fit
        raise Refused.at(scope, f"{kind} cannot be converted with these arguments: {error}") from None
    return results if isinstance(results, list) else [results]


def _pairs(text: str) -> list[tuple[str, str]]:
    """The framework's name and the own name of each parameter."""
    parts = [part.partition("=") for part in text.split()]
    return [(name, own or name) for name, _, own in parts]
