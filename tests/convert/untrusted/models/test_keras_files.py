"""The framework that reads each Keras file, and the files that are refused before TensorFlow reads them."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import network
from convert.networks.keras_model import KerasModel
from convert.untrusted.models import keras_files
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers
from tests.convert.edits import edited, of_class, saved_small, small


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
    """Such files have `time_major: false`, which Keras 3 does not load; the oldest do not have their version."""
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
def test_custom_loss_that_cannot_be_imported_has_no_effect(framework: Framework, tmp_path: Path) -> None:
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


def test_file_of_weights_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    small("tf_keras").save_weights(path)
    with pytest.raises(Refused, match="holds weights only"):
        keras_files.inspect(path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"PK"])
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_file_without_a_model_is_refused(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(Refused, match=r"no[t]? a? ?Keras model|empty file"):
        keras_files.inspect(path)


@pytest.mark.parametrize("config", [[], {}, {"class_name": "Sequential", "config": {"layers": 3}}, {"config": "LSTM"}])
def test_malformed_configuration_is_refused(config: object, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(Refused, match=r"not a Keras model|a layer of class None"):
        keras_files.inspect(path)


def test_file_that_the_framework_cannot_load_is_refused(tmp_path: Path) -> None:
    def edit(config: dict[str, Any]) -> None:
        of_class(config, "Dense")["config"]["units"] = 2

    file = keras_files.inspect(edited(saved_small("tf_keras", tmp_path / "model.h5"), edit))
    with pytest.raises(Refused, match=r"tf_keras cannot load it: ValueError: .*shape"):
        keras_files.load(file)


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_a_length_that_the_model_does_not_fix(framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    model = keras.Sequential(
        [keras.layers.Input((None, 3)), keras.layers.LSTM(3), keras.layers.Dense(1, activation="sigmoid")]
    )
    file = keras_files.inspect(helpers.save(helpers.randomised(model), tmp_path / "model.h5"))
    with pytest.raises(Refused, match="`sequence_length`"):
        KerasModel(file, None, None)
    loaded = KerasModel(file, None, 9)
    assert loaded.window == (9, 3)
    given = helpers.windows(steps=9)
    np.testing.assert_allclose(
        helpers.graph_answers(network.build(loaded.model, loaded.window), given), loaded.predict(given), atol=1e-6
    )


def test_length_that_contradicts_the_model_is_refused(tmp_path: Path) -> None:
    file = keras_files.inspect(saved_small("tf_keras", tmp_path / "model.h5"))
    assert KerasModel(file, None, helpers.STEPS).window[0] == helpers.STEPS
    with pytest.raises(Refused, match="sequence_length is 20, but the model's window is 6 steps long"):
        KerasModel(file, None, 20)


def as_external(file: h5py.File, name: str, secret: Path) -> None:
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, shape, "f4", external=[(str(secret), 0, 4 * int(np.prod(shape)))])


def as_virtual(file: h5py.File, name: str, secret: Path) -> None:
    shape = file[name].shape
    del file[name]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[:] = h5py.VirtualSource(str(secret), "values", shape)
    file.create_virtual_dataset(name, layout)


def as_external_link(file: h5py.File, name: str, secret: Path) -> None:
    del file[name]
    file[name] = h5py.ExternalLink(str(secret), "/values")


def as_soft_link(file: h5py.File, name: str, _secret: Path) -> None:
    del file[name]
    file[name] = h5py.SoftLink("/elsewhere")


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("put", [as_external, as_virtual, as_external_link, as_soft_link])
def test_weights_in_another_file_are_refused(
    put: Callable[[h5py.File, str, Path], None], framework: Framework, suffix: str, tmp_path: Path
) -> None:
    path = saved_small(framework, tmp_path / f"model{suffix}")
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(256)) * 8)
    weights = path
    if suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            weights = Path(archive.extract("model.weights.h5", tmp_path))
            others = {name: archive.read(name) for name in ("metadata.json", "config.json")}
    with h5py.File(weights, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        names = [name for name in names if isinstance(file[name], h5py.Dataset)]
        put(file, names[-1], secret)
    if suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in (others | {"model.weights.h5": weights.read_bytes()}).items():
                archive.writestr(name, data)
    with pytest.raises(Refused, match=f"^{re.escape(names[-1])} (is a link|has its values in another file)"):
        keras_files.inspect(path)


def test_polyglot_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An HDF5 file with a zip archive behind it: one reader sees a plain model, the other a module to import."""
    marker = tmp_path / "ran"
    (tmp_path / "module_of_archive.py").write_text(
        f"from pathlib import Path\nPath({str(marker)!r}).touch()\ndef same(x):\n    return x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    function = {"class_name": "function", "module": "module_of_archive", "config": "same", "registered_name": "same"}
    config: dict[str, object] = {"name": "odd", "function": function, "function_type": "function", "arguments": {}}
    config |= {"output_shape": None, "output_shape_type": "raw"}
    layer = {"class_name": "Lambda", "module": "keras.layers", "registered_name": None, "config": config}

    def edit(config: dict[str, Any]) -> None:
        config["config"]["layers"].append(layer)

    archive = edited(saved_small("tf_keras", tmp_path / "archive.keras"), edit)
    both = saved_small("tf_keras", tmp_path / "model.h5").read_bytes() + archive.read_bytes()
    (tmp_path / "model.keras").write_bytes(both)
    (tmp_path / "model.h5").write_bytes(both)
    for name in ("model.keras", "model.h5"):
        assert [layer.name for layer in keras_files.load(keras_files.inspect(tmp_path / name)).layers].count("odd") == 0
    assert not marker.exists()
    helpers.framework("tf_keras").models.load_model(tmp_path / "model.keras", compile=False)
    assert marker.exists(), "the framework itself does not run the code any more, so this test proves nothing"
