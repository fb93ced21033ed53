"""Several models as one stage: the sigmoid of the mean of their logits."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from convert import mean
from convert.__main__ import main
from convert.errors import Refused
from convert.graph import FLOAT, Keras
from convert.layers.network import INPUT, OUTPUT
from convert.networks import float64
from convert.networks.keras_model import KerasModel
from convert.trees.booster import BoosterModel
from convert.untrusted.models import keras_files
from core.bundles.repository import Repository
from core.features.catalogue import matrix
from core.inference.detector import Detector, Prediction
from core.inference.inputs import CandleWindows
from tests.convert import helpers
from tests.convert.trees import boosted
from tests.market import candles

NAMES, STEPS = boosted.NAMES, boosted.STEPS


def network(framework: keras_files.Framework, activation: str = "sigmoid", units: int = 1) -> Keras:
    keras = helpers.framework(framework)
    layers = keras.layers
    window = layers.Input((STEPS, len(NAMES)))
    model = keras.Sequential([window, layers.Flatten(), layers.Dense(4, "tanh"), layers.Dense(units, activation)])
    model = helpers.randomised(model)
    kernel, bias = model.layers[1].get_weights()
    model.layers[1].set_weights([0.01 * kernel, bias])  # the features are not scaled
    return model


def source(folder: Path, models: dict[str, object], more: str = "") -> Path:
    """A source folder whose only stage is the mean of these models."""
    boosted.source(folder, {"stage1": boosted.train(2)}, more)
    for name, model in models.items():
        boosted.save(model, folder / name) if name.endswith(".txt") else helpers.save(model, folder / name)  # type: ignore[arg-type]
    text = (folder / "versions.toml").read_text()
    (folder / "versions.toml").write_text(text.replace('"stage1.txt"', str([*models]).replace("'", '"')))
    return folder


def convert(folder: Path) -> int:
    return main(["--source", str(folder), "--output", str(folder / "onnx")])


def logit(probability: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    values = np.asarray(probability, np.float64)
    return np.log(values) - np.log1p(-values)


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_mean_answers_as_its_models_together(
    framework: keras_files.Framework, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An ensemble of the last step, one of the whole window, and a network, which decides the length of the window."""
    last, whole, dense = boosted.train(20, names=NAMES), boosted.train(20, whole=True), network(framework)
    suffix = ".h5" if framework == "tf_keras" else ".keras"
    folder = source(tmp_path / "source", {"last.txt": last, f"net{suffix}": dense, "whole.txt": whole})
    assert convert(folder) == 0, capsys.readouterr().err
    said = " ".join(capsys.readouterr().out.split())
    for part in ("compared with the mean of lightgbm", "last.txt: built from its trees", f"net{suffix}: built by the"):
        assert part in said
    bundle = Repository(folder / "onnx").read("trees")
    stage = bundle.manifest.stage1
    assert stage.sequence_length == STEPS
    assert set(stage.sources) == {"model", "model_2", "model_3", "features"}
    assert set(stage.parity["models"]) == {"last.txt", f"net{suffix}", "whole.txt"}
    assert all(figures["windows"] > 2_000 for figures in (stage.parity, *stage.parity["models"].values()))
    assert {"lightgbm", framework, "tensorflow"} <= bundle.manifest.tools.keys()
    series = [candles(start, 200) for start in range(3_000, 3_060)]
    windows = np.stack([matrix(each, NAMES, STEPS) for each in series]).astype(np.float32)
    of_each = [last.predict(windows[:, -1]), np.asarray(dense(windows))[:, 0], whole.predict(windows.reshape(60, -1))]
    expected = 1.0 / (1.0 + np.exp(-np.mean([logit(each) for each in of_each], axis=0)))
    results = Detector(bundle).predict([CandleWindows(each) for each in series])
    found = [each.decision.stage1_prob for each in results if isinstance(each, Prediction)]
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize(
    ("models", "more", "words"),
    [
        (["a.txt", "a.txt"], "", 'trees".stage1.model: names a file twice'),
        (["a.txt", "b.txt"], 'classes = ["hold", "reversal"]', "a mean of models has no `classes`"),
        (["a.txt", "b.txt"], 'output = "p"', "a mean of models has no `classes` and no `output`"),
        (["a.txt"], "", "model: Expected `array` of length >= 2|model: .*length"),
        (["a.txt", "gone.txt"], "", "stage1.model_2: no file 'gone.txt'"),
        (["a.txt", "three.txt"], "", "three.txt: answers 3 values, but a mean is of models that answer one"),
    ],
)
def test_what_has_no_mean_is_refused_at_once(
    models: list[str], more: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    three = boosted.train(2, objective="multiclass", num_class=3)
    there = {"a.txt": boosted.train(2), "b.txt": boosted.train(2), "three.txt": three}
    folder = source(tmp_path / "source", {**there}, more)
    text = (folder / "versions.toml").read_text()
    (folder / "versions.toml").write_text(text.replace(str([*there]).replace("'", '"'), str(models).replace("'", '"')))
    assert convert(folder) == 1
    said = capsys.readouterr().err
    assert re.search(words, said), said
    assert "converting" not in said


@pytest.mark.parametrize(("activation", "units"), [("hard_sigmoid", 1), ("softmax", 2)])
def test_network_without_a_sigmoid_at_its_end_is_refused(
    activation: str, units: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dense = network("keras", activation, units)
    folder = source(tmp_path / "source", {"a.txt": boosted.train(2), "net.keras": dense})
    assert convert(folder) == 1
    assert 'end it in Dense(1, activation="sigmoid")' in capsys.readouterr().err


def test_models_of_other_windows_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras = helpers.framework("keras")
    layers = keras.layers
    short = keras.Sequential([layers.Input((3, len(NAMES))), layers.Flatten(), layers.Dense(1, "sigmoid")])
    folder = source(tmp_path / "source", {"whole.txt": boosted.train(2, whole=True), "net.keras": short})
    assert convert(folder) == 1
    said = capsys.readouterr().err
    assert "trees stage1: model: its models take windows of 3 and 5 steps, but see the same" in said
    assert "converting" not in said


def test_gate_refuses_a_merged_graph_that_is_no_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = source(tmp_path / "source", {"a.txt": boosted.train(10), "b.txt": boosted.train(20)})
    right = mean.merged

    def wrong(graphs: list[onnx.ModelProto], window: tuple[int, int]) -> onnx.ModelProto:
        built = right(graphs, window)
        next(node for node in built.graph.node if node.op_type == "Mean").op_type = "Sum"
        return built

    monkeypatch.setattr(mean, "merged", wrong)
    assert convert(folder) == 1
    assert "(the mean of lightgbm" in capsys.readouterr().err


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_logits_are_those_of_the_probabilities(framework: keras_files.Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    inner = network(framework)
    nested = keras.Sequential([keras.layers.Input((STEPS, len(NAMES))), inner])
    suffix = ".h5" if framework == "tf_keras" else ".keras"
    windows = helpers.windows(30, STEPS, len(NAMES))
    for i, model in enumerate((inner, nested)):
        loaded = KerasModel(keras_files.inspect(helpers.save(model, tmp_path / f"{i}{suffix}")), None, None)
        np.testing.assert_allclose(loaded.logits()(windows), logit(loaded.in_float64()(windows)), atol=1e-9)


def test_logits_of_averaged_trees_are_those_of_their_probabilities(tmp_path: Path) -> None:
    for settings in ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, {"sigmoid": 2.5}):
        file = boosted.read(boosted.train(10, **settings), tmp_path)
        model = BoosterModel(file, boosted.columns_of(file))
        windows = helpers.windows(30, 1, len(NAMES))
        np.testing.assert_allclose(model.logits()(windows), logit(model.in_float64()(windows)), atol=1e-9)


def test_graph_with_loops_has_no_mean() -> None:
    one = onnx.helper.make_tensor_value_info(OUTPUT, FLOAT, ["batch", 1])
    body = onnx.helper.make_graph([], "body", [], [])
    loop = onnx.helper.make_node("Loop", [INPUT], ["x"], body=body)
    end = onnx.helper.make_node("Sigmoid", ["x"], [OUTPUT])
    graph = onnx.helper.make_model(onnx.helper.make_graph([loop, end], "graph", [], [one]))
    with pytest.raises(Refused, match="a mean is of models without Loops"):
        mean.merged([graph], (1, 1))
    clipped = onnx.helper.make_graph([onnx.helper.make_node("Clip", [INPUT], [OUTPUT])], "graph", [], [one])
    with pytest.raises(Refused, match=float64.NO_SIGMOID[:40]):
        mean.merged([onnx.helper.make_model(clipped)], (1, 1))
