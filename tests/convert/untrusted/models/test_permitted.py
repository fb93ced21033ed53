"""The classes beyond the table: what a file may name, and that none of them fills the memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.untrusted.models import keras_files
from convert.untrusted.models.keras_files import Framework
from convert.untrusted.models.permitted import Permitted
from tests.convert import helpers
from tests.convert.edits import Edit, edited, of_class, saved_small

both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
BY_TABLE = Permitted(fallback=False)
OWN = Permitted(True, frozenset({"Mine"}), frozenset({"my_act"}))


def beyond(framework: Framework) -> Keras:
    def build(k: Keras) -> list[Keras]:
        image = [k.Reshape((helpers.STEPS, helpers.FEATURES, 1)), k.Conv2D(2, 2), k.UpSampling2D(2)]
        return [*image, k.Reshape((20, 4)), k.RNN(k.StackedRNNCells([k.LSTMCell(3), k.GRUCell(2)])), k.Flatten()]

    return helpers.sequential(framework, build)


def as_lambda(layer: dict[str, Any]) -> None:
    layer.update(class_name="Lambda", config={"name": "odd", "function": "x"})


def cell(config: dict[str, Any]) -> None:
    as_lambda(of_class(config, "RNN")["config"]["cell"])


def cell_in_list(config: dict[str, Any]) -> None:
    as_lambda(of_class(config, "RNN")["config"]["cell"]["config"]["cells"][1])


def gate(config: dict[str, Any]) -> None:
    of_class(config, "RNN")["config"]["cell"]["config"]["cells"][0]["config"]["activation"] = "my_act"


def value(config: dict[str, Any]) -> None:
    of_class(config, "Conv2D")["config"]["filters"] = {"class_name": "system", "module": "os", "config": {}}


def module(config: dict[str, Any]) -> None:
    of_class(config, "Conv2D")["module"] = "os.path"


def half(config: dict[str, Any]) -> None:
    of_class(config, "Conv2D")["config"]["dtype"] = "float16"


@both
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (cell, "a layer of class Lambda"),
        (cell_in_list, "a layer of class Lambda"),
        (gate, "activation 'my_act' cannot be converted"),
        (value, "system of os cannot be converted"),
        (module, "a layer of class Conv2D of os.path"),
        (half, "Conv2D computes in float16"),
    ],
)
def test_parts_of_such_layers_are_checked(edit: Edit, message: str, framework: Framework, tmp_path: Path) -> None:
    path = helpers.save(beyond(framework), tmp_path / "model.keras")
    keras_files.load(keras_files.inspect(path))
    with pytest.raises(Refused, match=message):
        keras_files.inspect(edited(path, edit))


@pytest.mark.parametrize(
    "kind",
    [
        *("Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper", "StringLookup", "IntegerLookup"),
        *(
            "TextVectorization",
            "Hashing",
            "HashedCrossing",
            "RandomFlip",
            "Wrapper",
            "Layer",
            "TFOpLambdas",
            "Pipeline",
        ),
    ],
)
@pytest.mark.parametrize("rules", [BY_TABLE, Permitted(), OWN])
def test_layers_that_hold_code_or_read_are_refused_by_all_rules(kind: str, rules: Permitted, tmp_path: Path) -> None:
    path = edited(
        saved_small("tf_keras", tmp_path / "model.keras"),
        lambda config: of_class(config, "Dropout").update(class_name=kind, registered_name=None),
    )
    with pytest.raises(Refused, match=f"a layer of class {kind}"):
        keras_files.inspect(path, rules)


@both
def test_without_the_fallback_they_are_refused_and_all_named(framework: Framework, tmp_path: Path) -> None:
    path = helpers.save(beyond(framework), tmp_path / "model.keras")
    with pytest.raises(Refused, match=r"Conv2D.*UpSampling2D.*RNN.*StackedRNNCells.*LSTMCell.*GRUCell.*--no-fallback"):
        keras_files.inspect(path, BY_TABLE)


def own_class(inner: object) -> Edit:
    def edit(config: dict[str, Any]) -> None:
        layer = of_class(config, "Dropout")
        layer.update(class_name="Mine", module="module_of_file", registered_name="Mine")
        layer["config"]["inner"] = inner

    return edit


@both
@pytest.mark.parametrize(
    ("inner", "refused"),
    [
        ({"class_name": "Dense", "config": {"units": 3}}, None),
        ([1, "two", {"three": 3}], None),
        ({"class_name": "Lambda", "config": {"name": "odd"}}, "Lambda"),
        ([{"class_name": "Lambda", "config": {"name": "odd"}}], "Lambda"),
        ({"class_name": "system", "module": "os", "config": {}}, "system"),
        ({"class_name": "function", "module": "os", "config": "system", "registered_name": "system"}, "function"),
        ({"class_name": "__lambda__", "config": {"value": "x"}}, "__lambda__"),
    ],
)
def test_layers_inside_a_users_layer_are_checked(
    inner: object, refused: str | None, framework: Framework, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_of_file.py").write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = edited(saved_small(framework, tmp_path / "model.keras"), own_class(inner))
    if refused is None:
        model = keras_files.inspect(path, OWN).model
        assert model.custom == ["Mine"]
        assert "module_of_file" not in model.config, "the frameworks find the class by its name only"
    else:
        with pytest.raises(Refused, match=refused):
            keras_files.inspect(path, OWN)
    assert not (tmp_path / "ran").exists()


FILLING: dict[str, Edit] = {
    "Conv2D": lambda config: of_class(config, "Conv2D")["config"].update(filters=10**9),
    "LSTMCell": lambda config: of_class(config, "RNN")["config"]["cell"]["config"]["cells"][0]["config"].update(
        units=40_000
    ),
    "UpSampling2D": lambda config: of_class(config, "UpSampling2D")["config"].update(size=[10_000, 10_000]),
}
# Weights are counted as they are made, values of windows when the model is built, and the kernel bounds the rest.
SAID = ("weights", "values for a window", "4,096 MiB")
LOAD = (
    "import resource, sys; from pathlib import Path; from convert.errors import Refused;"
    "from convert.untrusted.models import allocations, keras_files\n"
    "for name in sys.argv[1:]:\n"
    "    try:\n"
    "        allocations.check_values(keras_files.load(keras_files.inspect(Path(name))), 5)\n"
    "    except Refused as error:\n"
    "        print(error)\n"
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
)


@pytest.mark.long
@both
def test_a_layer_cannot_fill_the_memory(framework: Framework, tmp_path: Path) -> None:
    image = helpers.sequential(
        framework,
        lambda k: [k.Reshape((helpers.STEPS, helpers.FEATURES, 1)), k.UpSampling2D(2), k.GlobalMaxPooling2D()],
    )
    paths = []
    for name, edit in FILLING.items():
        model = image if name == "UpSampling2D" else beyond(framework)
        (tmp_path / name).mkdir()
        paths.append(edited(helpers.save(model, tmp_path / name / "model.keras"), edit))
    ended = subprocess.run([sys.executable, "-c", LOAD, *map(str, paths)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    *refusals, kilobytes = ended.stdout.splitlines()
    assert [any(words in line for words in SAID) for line in refusals] == [True] * len(FILLING)
    assert int(kilobytes) < 2_500_000, "each would take 36 GB or more"
