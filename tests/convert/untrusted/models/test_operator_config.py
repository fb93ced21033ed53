"""Operators in hostile files: names outside the list, and calls that would compute while a file is read."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from convert.errors import Refused
from convert.untrusted.models import keras_config, keras_files, operator_config
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers
from tests.convert.edits import edited, of_class

WINDOW = ["input_1", 0, 0]
TENSOR: dict[str, Any] = {
    "class_name": "__keras_tensor__",
    "config": {"shape": [None, 6, 3], "dtype": "float32", "keras_history": ["input", 0, 0]},
}
NUMBERS: dict[str, Any] = {"class_name": "__numpy__", "config": {"value": [1.0, 2.0], "dtype": "float32"}}


def keras_2(function: str, *nodes: Any, kind: str = "TFOpLambda") -> dict[str, Any]:  # noqa: ANN401 - any call
    return {
        "class_name": kind,
        "config": {"name": "odd", "function": function, "trainable": True, "dtype": "float32"},
        "name": "odd",
        "inbound_nodes": [*nodes],
    }


def keras_3(kind: str, args: list[Any], module: str = "keras.src.ops.numpy", **config: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "class_name": kind,
        "module": module,
        "config": {"name": "odd", **config},
        "name": "odd",
        "inbound_nodes": [{"args": args, "kwargs": {}}],
    }


def within(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Functional", "config": {"name": "model", "layers": [*layers]}}


ACCEPTED = [
    keras_2("math.multiply", [*WINDOW, {"y": 2.0, "name": None}]),
    keras_2("math.subtract", ["_CONSTANT_VALUE", -1, 1.0, {"y": WINDOW, "name": None}]),
    keras_2("range", ["_CONSTANT_VALUE", -1, 0, {"limit": WINDOW, "delta": 1}]),
    keras_2("concat", [[*WINDOW, {"axis": -1}], [*WINDOW, {"axis": -1}]]),
    keras_2("cast", [*WINDOW, {"dtype": "float32"}]),
    keras_3("Multiply", [TENSOR, 2.0]),
    keras_3("Add", [TENSOR, NUMBERS]),
    keras_3("Mean", [TENSOR], axis=1, keepdims=False),
    keras_3("GetItem", [TENSOR, [{"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": None}}, -1]]),
]
REFUSED = {
    "a function that runs code": (keras_2("py_function", [*WINDOW, {}]), "the function tf.py_function"),
    "a function that reads files": (keras_2("io.read_file", [*WINDOW, {}]), "the function tf.io.read_file"),
    "a function that writes files, with a word of masks": (
        keras_2("io.write_file", ["_CONSTANT_VALUE", -1, "file", {"contents": "x", "name": {"dtype": "bool"}}]),
        "the function tf.io.write_file",
    ),
    "a function in a slice, with a word of masks": (
        keras_2("io.read_file", [*WINDOW, {"name": {"dtype": "bool"}}], kind="SlicingOpLambda"),
        "the function tf.io.read_file",
    ),
    "an operation with a word of masks": (
        keras_3("Tile", [[1.0], {"dtype": "bool"}], repeats=[10**9]),
        "an operator on constants alone",
    ),
    "a function of another module": (keras_2("keras.utils.get_file", [*WINDOW, {}]), "the function tf.keras.utils"),
    "a function that is a list": (keras_2(["math.add"], [*WINDOW, {}]), "the function tf."),  # type: ignore[arg-type]
    "a range of constants": (
        keras_2("range", ["_CONSTANT_VALUE", -1, 0, {"limit": 10**9}]),
        "an operator on constants alone",
    ),
    "a tensor in the place of a name": (
        keras_2("range", ["_CONSTANT_VALUE", -1, 0, {"limit": 10**9, "name": WINDOW}]),
        "an operator on constants alone",
    ),
    "a tensor that is too short": (
        keras_2("range", ["_CONSTANT_VALUE", -1, 0, {"limit": 10**9, "delta": ["input_1", 0]}]),
        "of an operator cannot be converted",
    ),
    "another argument": (keras_2("math.tanh", [*WINDOW, {"file": "/etc/passwd"}]), "an operator with 'file'"),
    "a text": (keras_2("math.add", [*WINDOW, {"y": "text"}]), "the value 'text' of an operator"),
    "a huge number": (keras_2("tile", [*WINDOW, {"multiples": [1, 10**12, 1]}]), "of an operator cannot be converted"),
    "another class": (keras_3("Add", [TENSOR, {"class_name": "Dense", "config": {}}]), "Dense cannot be converted"),
    "a lambda": (keras_3("Add", [TENSOR, {"class_name": "__lambda__", "config": {"value": "x"}}]), "__lambda__"),
    "constants alone": (keras_3("Add", [NUMBERS, NUMBERS]), "an operator on constants alone"),
    "a tensor that is a plain dict": (
        keras_3("Add", [NUMBERS, {"keras_history": ["input", 0, 0], "start": 0, "stop": 1, "step": 1}]),
        "an operator on constants alone",
    ),
    "texts as a constant": (
        keras_3("Add", [TENSOR, {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "float32"}}]),
        "the value 'a' of an operator",
    ),
    "a constant of another type": (
        keras_3("Add", [TENSOR, {"class_name": "__numpy__", "config": {"value": 1, "dtype": "S1000000000"}}]),
        "a constant of 'S1000000000'",
    ),
    "an option": (keras_3("Max", [TENSOR], axis=1, keepdims=False, initial=3.0), "Max with initial"),
    "a type": (keras_3("Cast", [TENSOR], "keras.src.ops.core", dtype="string"), "the type 'string'"),
    "an operation outside the list": (keras_3("Einsum", [TENSOR]), "a layer of class Einsum of keras.src.ops.numpy"),
    "an operation of another module": (keras_3("Add", [TENSOR], "keras.src.ops.image"), "a layer of class Add of"),
    "a custom operation": (keras_3("Add", [TENSOR], "my_package.ops"), "a layer of class Add of my_package.ops"),
}


@pytest.mark.parametrize("layer", ACCEPTED)
def test_accepted_operator_keeps_its_call(layer: dict[str, Any]) -> None:
    (found,) = keras_config.rebuilt(within(copy.deepcopy(layer)))["config"]["layers"]
    assert found["config"].items() >= {k: v for k, v in layer["config"].items() if v is not None}.items()
    again = operator_config.rebuilt("layer 'odd'", found)
    assert again["inbound_nodes"] == found["inbound_nodes"]
    assert str(found["inbound_nodes"]).count("input") == str(layer["inbound_nodes"]).count("input")


@pytest.mark.parametrize("case", REFUSED)
def test_operator_outside_the_list_is_refused_with_its_place(case: str) -> None:
    layer, message = REFUSED[case]
    with pytest.raises(Refused, match=f"^layer 'odd': .*{message}"):
        keras_config.rebuilt(within(layer))


def test_constants_belong_to_operators_and_attention_masks_only() -> None:
    dense = {"class_name": "Dense", "config": {"name": "odd", "units": 1}, "inbound_nodes": [{"args": [NUMBERS]}]}
    with pytest.raises(Refused, match="__numpy__ cannot be converted"):
        keras_config.rebuilt(within(dense))
    masks = {"class_name": "NotEqual", "module": "keras.src.ops.numpy", "config": {"name": "odd"}}
    with pytest.raises(Refused, match="__numpy__ cannot be converted"):
        keras_config.rebuilt(within(masks | {"inbound_nodes": [{"args": [NUMBERS, NUMBERS], "kwargs": {}}]}))


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_weights_that_an_operator_makes_wider_are_refused_before_they_exist(
    framework: Framework, tmp_path: Path
) -> None:
    """The product of (10, 1, 10) and (1, 10, 10), flattened, is wider than the layers before it let expect."""
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    window = keras.Input((10, 10))
    x = k.Reshape((10, 1, 10))(window)
    wide = k.Flatten()(x * k.Permute((2, 1, 3))(x))
    path = helpers.save(keras.Model(window, k.Dense(1, name="wide")(wide)), tmp_path / "model.keras")
    keras_files.load(keras_files.inspect(path))

    def edit(config: dict[str, Any]) -> None:
        of_class(config, "Dense")["config"]["units"] = 9_000
        for layer in config["config"]["layers"]:
            layer.pop("build_config", None)

    with pytest.raises(Refused, match=r"9,0(00|09),000"):
        keras_files.load(keras_files.inspect(edited(path, edit)))
