"""Configurations: the values that are accepted, refused or left out, and that no code in them runs."""

from __future__ import annotations

import base64
import marshal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.networks.keras_model import KerasModel
from convert.untrusted.models import keras_config, keras_files
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers
from tests.convert.edits import Edit, edited, of_class, saved_small, small


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_lambda_is_refused_and_never_runs(framework: Framework, suffix: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    source = f"(x, __import__('pathlib').Path({str(marker)!r}).touch())[0]"
    code = eval(f"lambda x: {source}")  # noqa: S307 - a function with code of its own is what a Lambda stores
    model = helpers.sequential(framework, lambda k: [k.Lambda(code, name="odd"), k.LSTM(3)])
    path = helpers.save(model, tmp_path / f"model{suffix}")
    marker.unlink()
    with pytest.raises(Refused, match=r"^layer 'odd': a layer of class Lambda"):
        keras_files.inspect(path)
    assert not marker.exists()


def set_class(name: str, module: str | None = None) -> Edit:
    def edit(config: dict[str, Any]) -> None:
        layer = of_class(config, "Dropout")
        layer["class_name"] = name
        if module:
            layer["module"] = module

    return edit


def within_bidirectional(config: dict[str, Any]) -> None:
    of_class(config, "Bidirectional")["config"]["layer"]["class_name"] = "Lambda"


def within_model(config: dict[str, Any]) -> None:
    dropout = of_class(config, "Dropout")
    inner = {"class_name": "Lambda", "config": {"name": "odd"}}
    dropout.update(class_name="Sequential", config={"name": "inner", "layers": [inner]})


def as_activation(config: dict[str, Any]) -> None:
    of_class(config, "Dense")["config"]["activation"] = {"class_name": "Lambda", "config": {"name": "odd"}}


def custom_activation(config: dict[str, Any]) -> None:
    of_class(config, "GRU")["config"]["recurrent_activation"] = "my_gate"


def custom_function(config: dict[str, Any]) -> None:
    function = {"module": "builtins", "class_name": "function", "config": "my_act", "registered_name": "function"}
    of_class(config, "Dense")["config"]["activation"] = function


def put(key: str, value: object) -> Edit:
    """Write `value` into the configuration of the Dense."""
    return lambda config: of_class(config, "Dense")["config"].update({key: value})


def named(value: object) -> Edit:
    """A registered name, which Keras looks up before the class."""
    return lambda config: of_class(config, "Dense").update(registered_name=value)


def call_of(value: object) -> Edit:
    return lambda config: of_class(config, "Dense").update(inbound_nodes=[{"args": [value], "kwargs": {}}])


FUNCTION = {"module": "my_package", "class_name": "function", "config": "relu", "registered_name": "function"}
HALF = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}, "registered_name": None}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_class("TFOpLambda"), "layer 'dropout.*': the function tf.None cannot be converted"),
        (set_class("TFSMLayer"), "layer 'dropout.*': a layer of class TFSMLayer"),
        (set_class("StringLookup"), "layer 'dropout.*': a layer of class StringLookup"),
        (set_class("Attention>MyLayer"), "layer 'dropout.*': a layer of class Attention>MyLayer"),
        (set_class("Dense", "my_package.layers"), "layer 'dropout.*': a layer of class Dense of my_package.layers"),
        (set_class("Add", "keras.src.ops.numpy"), "layer 'dropout.*': Add with trainable cannot be converted"),
        (set_class("Add", "keras.src.ops.image"), "layer 'dropout.*': a layer of class Add of keras.src.ops.image"),
        (set_class("Einsum", "keras.src.ops.numpy"), "layer 'dropout.*': a layer of class Einsum of keras.src.ops"),
        (within_bidirectional, "layer '.*': a layer of class Lambda"),
        (within_model, "layer 'odd': a layer of class Lambda"),
        (as_activation, "layer 'dense.*': activation .*'odd'.* cannot be converted"),
        (custom_activation, "layer 'gru.*': recurrent_activation 'my_gate' cannot be converted"),
        (custom_function, "layer 'dense.*': activation 'my_act' cannot be converted"),
        (put("activation", FUNCTION), "layer 'dense.*': activation .*my_package.* cannot be converted"),
        (
            put("activation", {**FUNCTION, "module": "builtins", "registered_name": "Mine>relu"}),
            "layer 'dense.*': activation .*Mine>relu.* cannot be converted",
        ),
        (set_class("Dense", "keras.utils"), "layer 'dropout.*': a layer of class Dense of keras.utils"),
        (named("Mine>Dense"), "layer 'dense.*': a layer of class Mine>Dense"),
        (put("dtype", HALF), "layer 'dense.*': Dense computes in float16, .*float32"),
        (put("dtype", "float64"), "layer 'dense.*': Dense computes in float64, .*float32"),
        (put("units", {"class_name": "system", "module": "os", "config": {}}), "layer 'dense.*': system of os"),
        (put("units", [{"class_name": "Dense", "config": {}}]), "layer 'dense.*': Dense cannot be converted"),
        (put("units", {"class_name": "__lambda__", "config": {"value": "x"}}), "layer 'dense.*': __lambda__"),
        (put("units", {"class_name": "__typespec__", "config": []}), "layer 'dense.*': __typespec__"),
        (put("units", {"__passive_serialization__": True}), "layer 'dense.*': __passive_serialization__"),
        (put("class_name", "TypeSpec"), "layer 'dense.*': class_name"),
        (call_of({"class_name": "get_file", "module": "keras.utils"}), "layer 'dense.*': get_file of keras.utils"),
    ],
)
def test_class_or_function_outside_the_table_is_refused_by_name(
    edit: Edit, message: str, framework: Framework, suffix: str, tmp_path: Path
) -> None:
    path = saved_small(framework, tmp_path / f"model{suffix}")
    with pytest.raises(Refused, match=message):
        keras_files.inspect(edited(path, edit))


def test_subclassed_model_is_refused_by_name(tmp_path: Path) -> None:
    keras = helpers.framework("keras")

    class Detector(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.end = keras.layers.Dense(1)

        def call(self, x: Keras) -> Keras:
            return self.end(x[:, -1])

    model = Detector()
    model(helpers.windows())
    path = helpers.save(model, tmp_path / "model.keras")
    with pytest.raises(Refused, match="a layer of class Detector of"):
        keras_files.inspect(path)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_half_precision_is_refused(framework: Framework, suffix: str, tmp_path: Path) -> None:
    model = helpers.sequential(framework, lambda k: [k.LSTM(3, dtype="mixed_float16", name="odd")])
    path = helpers.save(model, tmp_path / f"model{suffix}")
    with pytest.raises(Refused, match=r"^layer 'odd': LSTM computes in float16, .*float32"):
        keras_files.inspect(path)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("key", ["kernel_initializer", "kernel_constraint", "activity_regularizer"])
def test_missing_classes_of_training_have_no_effect(
    key: str, framework: Framework, suffix: str, tmp_path: Path
) -> None:
    custom: dict[str, object] = {
        "module": None,
        "class_name": "Mine",
        "config": {},
        "registered_name": "my_package>Mine",
    }
    path = edited(saved_small(framework, tmp_path / f"model{suffix}"), put(key, custom))
    given = helpers.windows()
    found = KerasModel(keras_files.inspect(path), None, None).predict(given)
    np.testing.assert_allclose(found, np.asarray(small(framework)(given)), atol=1e-6)


@pytest.mark.parametrize("key", ["kernel_constraint", "units", "new"])
def test_bytecode_in_a_layers_value_never_runs(key: str, tmp_path: Path) -> None:
    """The HDF5 reader of tf_keras creates an object from any value with this mark, and has no safe mode."""
    marker = tmp_path / "ran"
    source = f"lambda x: (x, __import__('pathlib').Path({str(marker)!r}).touch())[0]"
    code = base64.b64encode(marshal.dumps(eval(source).__code__)).decode()  # noqa: S307 - as a Lambda stores it
    function = {"name": "odd", "function": [code, None, None], "function_type": "lambda", "output_shape_type": "raw"}
    lambda_ = {"class_name": "Lambda", "config": {**function, "output_shape": None, "arguments": {}}}
    window = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 1], "dtype": "float32", "name": "in"}}
    value: dict[str, Any] = {"__passive_serialization__": True, "class_name": "Sequential"}
    value["config"] = {"name": "inner", "layers": [window, lambda_]}
    path = edited(saved_small("tf_keras", tmp_path / "model.h5"), put(key, value))
    if key == "kernel_constraint":
        keras_files.load(keras_files.inspect(path))
    else:
        with pytest.raises(Refused, match=r"layer 'dense.*': Sequential cannot be converted"):
            keras_files.load(keras_files.inspect(path))
    assert not marker.exists()
    if key == "kernel_constraint":
        helpers.framework("tf_keras").models.load_model(path, compile=False)
        assert marker.exists(), "the framework itself does not run the code any more, so this test proves nothing"


def object_of(kind: str, module: str) -> dict[str, Any]:
    return {"class_name": kind, "module": module, "config": {}, "registered_name": kind, "items": []}


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("kind", ["Anything", "function", "__tuple__", "__keras_tensor__"])
@pytest.mark.parametrize("place", ["bias_initializer", "activation", "dtype", "units", "build", "call", "compile"])
def test_module_that_a_file_names_is_never_imported(
    *, place: str, kind: str, framework: Framework, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_of_file.py").write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    value = object_of(kind, "module_of_file")

    def edit(config: dict[str, Any]) -> None:
        layer = of_class(config, "Dense")
        if place == "build":
            layer["build_config"] = {"input_shape": value}
        elif place == "call":
            layer["inbound_nodes"] = [{"args": [value], "kwargs": {}}]
        elif place == "compile":
            config["compile_config"] = {"loss": value, "optimizer": value}
        else:
            layer["config"][place] = value

    path = edited(saved_small(framework, tmp_path / f"model{suffix}"), edit)
    try:
        keras_files.load(keras_files.inspect(path))
    except Refused:
        assert place not in {"bias_initializer", "compile"}
    assert not (tmp_path / "ran").exists()
    assert "module_of_file" not in sys.modules


def test_configuration_of_a_single_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="a single Dense"):
        keras_config.rebuilt({"class_name": "Dense", "config": {"units": 1}})


def sequence_of(*layers: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    """A Sequential of layers, given as classes, names and other entries of their configurations."""
    listed = [{"class_name": kind, "config": {"name": name, **more}} for kind, name, more in layers]
    return {"class_name": "Sequential", "config": {"name": "model", "layers": listed}}


def refusal(config: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        keras_config.rebuilt(config)
    return str(refused.value)


def test_all_layers_that_cannot_be_converted_are_named_at_any_depth() -> None:
    inner = sequence_of(("Dense", "fine", {"units": 2}), ("MyAttention", "inside", {}))
    wrapped = {"layer": {"class_name": "MyCell", "config": {"name": "cell"}}}
    unknown_wrapper = {
        "layer": {"class_name": "Other", "config": {"name": "deep", "layers": inner["config"]["layers"]}}
    }
    config = sequence_of(
        ("Lambda", "code", {}),
        ("Bidirectional", "both", wrapped),
        ("Sequential", "model_2", {"layers": inner["config"]["layers"]}),
        ("Wrapper", "around", unknown_wrapper),
        ("LSTM", "half", {"units": 2, "dtype": "float16"}),
    )
    said = refusal(config)
    assert said.startswith(
        "6 layers cannot be converted: 'code' of class Lambda, 'cell' of class MyCell, 'inside' of class MyAttention, "
        "'around' of class Wrapper, 'deep' of class Other, 'inside' of class MyAttention; "
    )
    assert "Python code" in said
    assert "docs/convert.md" in said
    assert said.endswith("layer 'half': LSTM computes in float16, but only float32 can be converted")


def test_way_out_is_that_of_the_classes() -> None:
    code, custom = refusal(sequence_of(("Lambda", "code", {}))), refusal(sequence_of(("Mine", "own", {})))
    assert ("Python code" in code, "docs/convert.md" in code) == (True, False)
    assert ("Python code" in custom, "docs/convert.md" in custom) == (False, True)


def test_refused_class_is_never_listed_as_known() -> None:
    config = sequence_of(("Einsum", "sum", {}))
    config["config"]["layers"][0]["module"] = "keras.src.ops.numpy"
    assert refusal(config).count("Einsum") == 1


def test_message_about_many_layers_is_bounded() -> None:
    many: list[tuple[str, str, dict[str, Any]]] = [("K" * 500, "n" * 500 + str(i), {}) for i in range(300)]
    said = refusal(sequence_of(*many, *[("LSTM", f"h{i}", {"units": 1, "dtype": "float64"}) for i in range(50)]))
    assert "300 layers cannot be converted" in said
    assert "and 288 more" in said
    assert "46 more" in said
    assert len(said) < 3_000


@pytest.mark.parametrize("key", ["module", "registered_name", "class_name", "name"])
@pytest.mark.parametrize("value", [["a"], {"a": 1}, 3, True])
def test_layer_whose_names_are_no_texts_is_refused(key: str, value: object) -> None:
    config = sequence_of(("Dense", "dense", {"units": 1}), ("Lambda", "odd", {}))
    config["config"]["layers"][0][key] = value
    assert "layer" in refusal(config)
