"""What Keras files are read by which framework, and what is refused before TensorFlow sees it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from convert import keras_files, network
from convert.errors import Refused
from convert.graph import Keras
from convert.keras_files import Framework
from convert.keras_model import KerasModel
from tests.convert import helpers

Edit = Callable[[dict[str, Any]], None]


def small(framework: Framework) -> Keras:
    return helpers.sequential(
        framework,
        lambda k: [k.Bidirectional(k.LSTM(3, return_sequences=True)), k.Dropout(0.1), k.GRU(3), k.LeakyReLU()],
    )


def edited(path: Path, edit: Edit) -> Path:
    """Change the configuration inside a file."""
    if h5py.is_hdf5(path):
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            edit(config)
            file.attrs["model_config"] = json.dumps(config)
        return path
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    edit(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def of_class(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(layer for layer in config["config"]["layers"] if layer["class_name"] == name)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_file_is_read_by_the_framework_that_wrote_it(framework: Framework, suffix: str, tmp_path: Path) -> None:
    model = small(framework)
    path = helpers.save(model, tmp_path / f"model{suffix}")
    file = keras_files.inspect(path)
    assert file.framework == framework
    assert file.keras_version == helpers.framework(framework).__version__
    loaded = KerasModel(file, None, None)
    assert loaded.tool == (framework, helpers.framework(framework).__version__)
    assert loaded.window == (helpers.STEPS, helpers.FEATURES)
    assert loaded.parameters == model.count_params()
    given = helpers.windows()
    np.testing.assert_allclose(loaded.predict(given), np.asarray(model(given)), atol=1e-6)
    helpers.assert_same(loaded.model, given)


@pytest.mark.parametrize("version", ["2.12.0", "2.15.0", "2.2.4-tf", None])
def test_file_of_older_keras_2(version: str | None, tmp_path: Path) -> None:
    """Such files say `time_major: false`, which Keras 3 does not load; the oldest do not say their version."""
    model = small("tf_keras")
    path = helpers.save(model, tmp_path / "model.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["keras_version"]
        if version is not None:
            file.attrs["keras_version"] = version

    def edit(config: dict[str, Any]) -> None:
        of_class(config, "GRU")["config"]["time_major"] = False
        of_class(config, "Bidirectional")["config"]["layer"]["config"]["time_major"] = False

    file = keras_files.inspect(edited(path, edit))
    assert (file.framework, file.keras_version) == ("tf_keras", version)
    given = helpers.windows()
    np.testing.assert_allclose(KerasModel(file, None, None).predict(given), np.asarray(model(given)), atol=1e-6)


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_custom_loss_that_cannot_be_imported_does_no_harm(framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)

    class FocalLoss(keras.losses.Loss):  # type: ignore[misc, name-defined]
        def call(self, y_true: Keras, y_pred: Keras) -> Keras:
            return (y_true - y_pred) ** 2

    model = small(framework)
    model.compile(optimizer="adam", loss=FocalLoss())
    given = helpers.windows()
    model.train_on_batch(given, np.zeros((len(given), 1)))
    loaded = helpers.saved(model, tmp_path)
    with h5py.File(tmp_path / "model.h5") as file:
        assert "FocalLoss" in str(file.attrs["training_config"])
    helpers.assert_same(loaded.model, given)


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


def initializer(module: str, name: str) -> Edit:
    def edit(config: dict[str, Any]) -> None:
        made: dict[str, object] = {"module": module, "class_name": name, "config": {}, "registered_name": None}
        of_class(config, "Dense")["config"]["kernel_initializer"] = made

    return edit


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_class("TFOpLambda"), "layer 'dropout.*': a layer of class TFOpLambda"),
        (set_class("TFSMLayer"), "layer 'dropout.*': a layer of class TFSMLayer"),
        (set_class("Conv1D"), "layer 'dropout.*': a layer of class Conv1D"),
        (set_class("Attention>MyLayer"), "layer 'dropout.*': a layer of class Attention>MyLayer"),
        (set_class("Dense", "my_package.layers"), "layer 'dropout.*': a layer of class Dense of my_package.layers"),
        (set_class("Add", "keras.src.ops.numpy"), "layer 'dropout.*': a layer of class Add of keras.src.ops.numpy"),
        (within_bidirectional, "layer '.*': a layer of class Lambda"),
        (within_model, "layer 'odd': a layer of class Lambda"),
        (as_activation, "layer 'dense.*': activation .*'odd'.* cannot be converted"),
        (custom_activation, "layer 'gru.*': recurrent_activation 'my_gate' cannot be converted"),
        (custom_function, "layer 'dense.*': activation 'my_act' cannot be converted"),
        (initializer("os", "system"), "layer 'dense.*': system of os is not one of Keras' own"),
        (initializer("keras.utils", "get_file"), "layer 'dense.*': get_file of keras.utils is not one of Keras' own"),
    ],
)
def test_what_is_not_in_the_table_is_refused_by_name(
    *, edit: Edit, message: str, framework: Framework, suffix: str, models: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(models[framework, suffix].read_bytes())
    with pytest.raises(Refused, match=message):
        keras_files.inspect(edited(path, edit))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        (framework, suffix): helpers.save(small(framework), folder / f"{framework}{suffix}")
        for framework in helpers.FRAMEWORKS
        for suffix in (".h5", ".keras")
    }


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


def test_operator_between_layers_is_refused_by_name(tmp_path: Path) -> None:
    for framework, name in (("keras", "GetItem"), ("tf_keras", "SlicingOpLambda")):
        keras = helpers.framework(framework)  # type: ignore[arg-type]
        window = keras.Input((helpers.STEPS, helpers.FEATURES))
        x = keras.layers.LSTM(3, return_sequences=True)(window)
        path = helpers.save(keras.Model(window, keras.layers.Dense(1)(x[:, -1])), tmp_path / "model.keras")
        with pytest.raises(Refused, match=f"a layer of class {name}"):
            keras_files.inspect(path)


def test_weights_alone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    small("tf_keras").save_weights(path)
    with pytest.raises(Refused, match="holds weights only"):
        keras_files.inspect(path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"])
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    with pytest.raises(Refused, match="not a Keras model"):
        keras_files.inspect(path)


@pytest.mark.parametrize("config", [[], {}, {"class_name": "Sequential", "config": {"layers": 3}}, {"config": "LSTM"}])
def test_configuration_that_is_none_is_refused(config: object, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(Refused, match=r"not a Keras model|a layer of class None"):
        keras_files.inspect(path)


def test_file_that_the_framework_cannot_load_is_refused(models: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(models["tf_keras", ".h5"].read_bytes())

    def edit(config: dict[str, Any]) -> None:
        of_class(config, "Dense")["config"]["kernel_regularizer"] = {"class_name": "MyPenalty", "config": {}}

    file = keras_files.inspect(edited(path, edit))
    with pytest.raises(Refused, match=r"tf_keras cannot load it: .*MyPenalty"):
        keras_files.load(file)


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_length_that_the_model_leaves_open(framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    model = keras.Sequential(
        [keras.layers.Input((None, 3)), keras.layers.LSTM(3), keras.layers.Dense(1, activation="sigmoid")]
    )
    file = keras_files.inspect(helpers.save(helpers.randomised(model), tmp_path / "model.h5"))
    with pytest.raises(Refused, match="leaves the window's length open; state it with `sequence_length`"):
        KerasModel(file, None, None)
    loaded = KerasModel(file, None, 9)
    assert loaded.window == (9, 3)
    given = helpers.windows(steps=9)
    np.testing.assert_allclose(
        helpers.graph_answers(network.build(loaded.model, loaded.window), given), loaded.predict(given), atol=1e-6
    )


def test_length_that_contradicts_the_model_is_refused(models: dict[tuple[str, str], Path]) -> None:
    file = keras_files.inspect(models["tf_keras", ".h5"])
    assert KerasModel(file, None, helpers.STEPS).window[0] == helpers.STEPS
    with pytest.raises(Refused, match="sequence_length is 20, but the model's window is 6 steps long"):
        KerasModel(file, None, 20)
