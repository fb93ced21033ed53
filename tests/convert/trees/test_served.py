"""Tree ensembles from end to end: from LightGBM's file to a detector that answers as LightGBM does."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from convert.__main__ import main
from core.bundles import onnx_file
from core.bundles.repository import Repository
from core.features.candles import Candles
from core.features.catalogue import matrix
from core.inference.detector import Detector, Prediction
from core.inference.inputs import CandleWindows
from tests.convert.trees import boosted
from tests.market import candles

NAMES, STEPS = boosted.NAMES, boosted.STEPS


def convert(source: Path) -> int:
    return main(["--source", str(source), "--output", str(source / "onnx")])


def detector(source: Path) -> Detector:
    return Detector(Repository(source / "onnx").read("trees"))


def answers(found: Detector, series: list[Candles]) -> list[Prediction]:
    results = found.predict([CandleWindows(each) for each in series])
    return [each for each in results if isinstance(each, Prediction)]


def test_stages_of_trees_answer_as_lightgbm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stage 1 sees the last step, Stage 2 the whole window. Both are given unscaled values."""
    one, two = boosted.train(60, names=NAMES), boosted.train(60, whole=True)
    source = boosted.source(tmp_path / "source", {"stage1": one, "stage2": two}, threshold="0.2")
    assert convert(source) == 0, capsys.readouterr().err
    said = " ".join(capsys.readouterr().out.split())
    for part in ("trees stage1: compared with lightgbm", "built from its trees", "60 trees, ", "features of one step"):
        assert part in said
    found = detector(source)
    manifest = found.manifest
    assert manifest.stage2 is not None
    assert (manifest.stage1.sequence_length, manifest.stage2.sequence_length) == (1, STEPS)
    assert manifest.tools.keys() == {"lightgbm", "onnx", "onnxruntime", "scikit-learn"}
    assert manifest.stage1.parity["windows"] > 3_000
    assert manifest.stage1.parity["leaves_reached"] > 0.9 * manifest.stage1.parity["leaves"]
    assert manifest.stage1.parameters == sum(2 * tree["num_leaves"] - 1 for tree in one.dump_model()["tree_info"])
    assert set(manifest.stage1.sources) == {"model", "features"}
    series = [candles(start, 200) for start in range(2_000, 2_300)]
    windows = np.stack([matrix(each, NAMES, STEPS) for each in series]).astype(np.float32)
    expected1 = np.asarray(one.predict(windows[:, -1]))
    expected2 = np.asarray(two.predict(windows.reshape(len(windows), -1)))
    decisions = [each.decision for each in answers(found, series)]
    assert len(decisions) == len(series)
    np.testing.assert_allclose([each.stage1_prob for each in decisions], expected1, atol=1e-6)
    assert [each.reversal_detected for each in decisions] == (expected1 >= 0.2).tolist()
    seconds = [(each.stage2_prob, p2) for each, p2 in zip(decisions, expected2, strict=True) if each.reversal_detected]
    assert len(seconds) > 50
    found2, wanted2 = np.array(seconds, np.float64).T
    np.testing.assert_allclose(found2, wanted2, atol=1e-6)


def test_scaler_and_window_length_are_those_of_other_stages(tmp_path: Path) -> None:
    scaler = StandardScaler().fit(boosted.table())
    trained = boosted.train(20, names=NAMES)
    source = boosted.source(tmp_path / "source", {"stage1": trained}, 'scaler = "scaler.pkl"\nsequence_length = 7')
    (source / "scaler.pkl").write_bytes(pickle.dumps(scaler))
    assert convert(source) == 0
    found = detector(source)
    assert found.manifest.stage1.sequence_length == 7
    assert found.manifest.stage1.limits is not None
    series = [candles(start, 200) for start in range(3_000, 3_050)]
    rows = np.stack([matrix(each, NAMES, 1)[0] for each in series])
    expected = np.asarray(trained.predict(scaler.transform(rows).astype(np.float32)))
    np.testing.assert_allclose([each.decision.stage1_prob for each in answers(found, series)], expected, atol=1e-6)


def test_three_classes_serve_both_stages(tmp_path: Path) -> None:
    trained = boosted.train(15, objective="multiclass", num_class=3)
    source = boosted.source(
        tmp_path / "source", {"stage1": trained}, 'classes = ["short", "hold", "long"]', threshold="0.6"
    )
    assert convert(source) == 0
    found = detector(source)
    series = [candles(start, 200) for start in range(3_000, 3_100)]
    rows = np.stack([matrix(each, NAMES, 1)[0] for each in series]).astype(np.float32)
    short, hold, long = np.asarray(trained.predict(rows)).T
    decisions = [each.decision for each in answers(found, series)]
    np.testing.assert_allclose([each.stage1_prob for each in decisions], 1.0 - hold, atol=2e-6)
    expected = np.where(1.0 - hold < 0.6, "hold", np.where(long > short, "long", "short"))
    assert [each.signal for each in decisions] == expected.tolist()
    assert set(expected.tolist()) == {"hold", "long", "short"}


@pytest.mark.parametrize(
    ("train", "more", "words"),
    [
        ({"names": NAMES[::-1]}, "", "stage1.txt: its columns are not in the order of features.json"),
        ({}, 'output = "probability"', "a tree ensemble has one output, without a name; remove `output`"),
        ({}, 'classes = ["hold", "reversal"]', "answers one value, but `classes` names several"),
        ({"objective": "multiclass", "num_class": 3}, "", "answers 3 values; name them in `classes`"),
        (
            {"whole": True},
            "sequence_length = 4",
            "5 steps of the 4 features of features.json, but sequence_length is 4",
        ),
        ({"objective": "regression"}, "", "stage1.txt: objective regression: no probability"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_converted(
    train: dict[str, object], more: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = boosted.source(tmp_path / "source", {"stage1": boosted.train(5, **train)}, more)  # type: ignore[arg-type]
    assert convert(source) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "converting" not in said


def test_too_few_features_are_refused_with_both_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = boosted.source(tmp_path / "source", {"stage1": boosted.train(5)})
    (source / "features.json").write_text('["close", "rsi_14", "macd"]')
    assert convert(source) == 1
    assert "takes 4 columns, but features.json names 3 features" in capsys.readouterr().err


def test_trees_convert_without_tensorflow(tmp_path: Path) -> None:
    source = boosted.source(tmp_path / "source", {"stage1": boosted.train(5)})
    code = (
        f"import sys; from convert.__main__ import main; code = main(['--source', {str(source)!r}, '--output',"
        f" {str(tmp_path / 'onnx')!r}]); print(code, 'tensorflow' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=Path.cwd(), capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "0 False"


def test_the_graph_has_the_second_operator_set_and_passes_the_server_s_checks(tmp_path: Path) -> None:
    source = boosted.source(tmp_path / "source", {"stage1": boosted.train(5)})
    assert convert(source) == 0
    (graph,) = (source / "onnx" / "trees").glob("stage1-network-*.onnx")
    assert onnx_file.opsets(graph.read_bytes()) == {"": 17, "ai.onnx.ml": 3}
    assert onnx_file.forbidden(graph.read_bytes()) is None
    manifest = msgspec.json.decode((source / "onnx" / "trees" / "manifest.json").read_bytes())
    assert manifest["stage1"]["opset"] == 17
