"""A user's own layers and functions, from a module that the command names."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from convert.errors import Refused
from convert.networks import custom_objects, ways
from convert.networks.keras_model import KerasModel
from convert.options import Options
from convert.untrusted.models import keras_files
from convert.untrusted.models.keras_files import Framework
from convert.untrusted.models.permitted import Permitted
from tests.convert import helpers
from tests.convert.edits import edited, of_class, saved_small
from tests.convert.networks.with_own_layers import MODULE, with_own_layers

WINDOW = (helpers.STEPS, helpers.FEATURES)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_own_layers_are_converted_and_said(suffix: str, tmp_path: Path) -> None:
    model = with_own_layers()
    path = helpers.save(model, tmp_path / f"model{suffix}")
    with pytest.raises(Refused, match=r"Weighted.*Doubled.*--custom-objects"):
        keras_files.inspect(path)
    found = custom_objects.load(MODULE)
    file = keras_files.inspect(path, found.permitted(fallback=True))
    reference = KerasModel(file, None, None, custom=found)
    given = helpers.windows()
    np.testing.assert_allclose(reference.predict(given), np.asarray(model(given)), atol=1e-6)
    built = ways.build(reference)
    np.testing.assert_allclose(helpers.graph_answers(built.graph, given), reference.predict(given), atol=2e-6)
    assert built.way == "tf2onnx"
    options = Options(custom=found)
    assert options.tools(file) == {"custom_objects": MODULE}
    assert all(name in options.notes(file)[0] for name in (MODULE, "Weighted", "Doubled", "wave"))


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_a_file_without_own_layers_is_as_before(framework: Framework, tmp_path: Path) -> None:
    path = saved_small(framework, tmp_path / "model.keras")
    found = custom_objects.load(MODULE)
    file = keras_files.inspect(path, found.permitted(fallback=True))
    assert file.model == keras_files.inspect(path).model
    assert (Options(custom=found).tools(file), Options(custom=found).notes(file)) == ({}, [])
    assert ways.build(KerasModel(file, None, None, custom=found)).way == "layers"


def test_own_layers_can_be_forbidden_to_go_through_tf2onnx(tmp_path: Path) -> None:
    path = helpers.save(with_own_layers(), tmp_path / "model.keras")
    found = custom_objects.load(MODULE)
    reference = KerasModel(keras_files.inspect(path, found.permitted(fallback=False)), None, None, custom=found)
    with pytest.raises(Refused, match=r"Weighted 'weighted.*Doubled 'doubled.*--no-fallback"):
        ways.build(reference, allow_fallback=False)


def test_a_class_of_another_framework_is_named(tmp_path: Path) -> None:
    path = edited(
        saved_small("tf_keras", tmp_path / "model.h5"),
        lambda config: of_class(config, "Dropout").update(class_name="Doubled"),
    )
    found = custom_objects.load(MODULE)
    with pytest.raises(Refused, match="Doubled is a class of keras, but the file needs one of tf_keras"):
        KerasModel(keras_files.inspect(path, found.permitted(fallback=True)), None, None, custom=found)


def test_own_class_does_not_stand_for_one_of_keras(tmp_path: Path) -> None:
    rules = Permitted(True, frozenset({"Dense", "Doubled"}))
    path = saved_small("tf_keras", tmp_path / "model.keras")
    assert keras_files.inspect(path, rules).model.custom == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "ModuleNotFoundError"),
        ("raise OSError('no weights here')", "OSError: no weights here"),
        ("x = 1", "has no class"),
        ("from keras.layers import Dense", "has no class"),
    ],
)
def test_a_module_that_cannot_be_used_is_named(
    text: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    name = f"module_of_user_{len(message)}_{len(text or '')}"
    if text is not None:
        Path(f"{name}.py").write_text(text)
    with pytest.raises(Refused, match=rf"--custom-objects {name}: .*{message}"):
        custom_objects.load(name)


def test_a_module_of_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    Path("module_in_folder.py").write_text("def wobble(x):\n    return x\n\ndef relu(x):\n    return 2 * x\n")
    found = custom_objects.load("module_in_folder")
    assert list(found.functions) == ["wobble"], "the name relu is Keras' own"
