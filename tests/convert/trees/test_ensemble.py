"""Graphs of ensembles beside LightGBM, on real models, and what the gate does with graphs that are a little wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import FLOAT, GraphBuilder
from convert.proof import parity
from convert.proof.parity import GraphSession, ServedSession
from convert.proof.rules import DecisionRule
from convert.trees import booster, ensemble, probes
from convert.trees.booster import BoosterModel
from convert.trees.columns import TreeColumns
from convert.untrusted.records import TreesFile
from convert.untrusted.trees import text
from tests.convert.trees import boosted

RULE = DecisionRule(lambda p: "a reversal" if p >= 0.5 else "hold", border=0.5)


def graph_of(file: TreesFile, columns: TreeColumns) -> bytes:
    graph = GraphBuilder()
    sums = ensemble.emit(graph, file, columns, "window")
    answer = graph.value("Sigmoid" if file.outputs == 1 else "Softmax", "head", sums)
    shape = (columns.steps, columns.features)
    built = graph.finish(("window", FLOAT, shape), ("probability", FLOAT, (file.outputs,)), answer)
    return bytes(built.SerializeToString(deterministic=True))


def prove(file: TreesFile, columns: TreeColumns) -> dict[str, Any]:
    session = ServedSession(graph_of(file, columns))
    drawn = probes.windows(file, columns)
    features = tuple(boosted.NAMES)
    return parity.check_network(BoosterModel(file, columns), session, None, features, RULE, drawn)


@pytest.mark.parametrize(
    ("settings", "whole"),
    [
        ({}, False),
        ({}, True),
        ({"objective": "cross_entropy"}, False),
        ({"sigmoid": 2.5}, False),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, False),
        ({"boosting": "dart"}, True),
        ({"use_missing": False}, False),
        ({"max_bin": 15, "num_leaves": 3, "boost_from_average": False}, False),
        ({"num_leaves": 255, "min_data_in_leaf": 2}, False),
    ],
)
def test_graph_agrees_with_the_model_that_wrote_the_file(
    settings: dict[str, Any],
    whole: bool,  # noqa: FBT001 - of the table
    tmp_path: Path,
) -> None:
    trained = boosted.train(40, whole=whole, **settings)
    file = boosted.read(trained, tmp_path)
    columns = boosted.columns_of(file)
    session, model = ServedSession(graph_of(file, columns)), BoosterModel(file, columns)
    for kind, windows in probes.windows(file, columns):
        expected = np.asarray(trained.predict(columns.of_array(windows)))
        assert np.ptp(expected) > 0.01, kind
        # The copy that the gate compares with is the user's model to the last bit.
        np.testing.assert_array_equal(model.in_float64()(windows)[:, 0], expected)
        np.testing.assert_array_equal(model.leaves(windows), trained.predict(columns.of_array(windows), pred_leaf=True))
        np.testing.assert_allclose(session.run(windows)[:, 0], expected, atol=1e-6, rtol=0.0, err_msg=kind)


def test_three_classes_agree(tmp_path: Path) -> None:
    trained = boosted.train(15, objective="multiclass", num_class=3)
    file = boosted.read(trained, tmp_path)
    columns = boosted.columns_of(file)
    found = ServedSession(graph_of(file, columns))
    for kind, windows in probes.windows(file, columns):
        expected = np.asarray(trained.predict(columns.of_array(windows)))
        assert expected.shape == (len(windows), 3)
        np.testing.assert_allclose(found.run(windows), expected, atol=1e-6, rtol=0.0, err_msg=kind)


def test_the_proof_reaches_every_leaf_that_can_be_reached(tmp_path: Path) -> None:
    file = boosted.read(boosted.train(30), tmp_path)
    columns = boosted.columns_of(file)
    model = BoosterModel(file, columns)
    (kind, inside), *_ = [each for each in probes.windows(file, columns) if "leaf" in each[0]]
    assert kind == "one window for a leaf"
    leaves = model.leaves(inside)
    reached = {(tree, leaf) for tree in range(file.trees) for leaf in np.unique(leaves[:, tree]).tolist()}
    assert len(reached) >= 0.99 * file.value.shape[0]
    figures = prove(file, columns)
    assert figures["windows"] > 3_000
    assert figures["max_difference"] < 1e-6


def test_thresholds_are_rounded_down() -> None:
    thresholds = np.array([0.1, 0.3, -0.1, 1.0, 1e300, -1e300, 0.0])
    found = ensemble.rounded_down(thresholds)
    assert found.dtype == np.float32
    assert (found <= thresholds).all()
    with np.errstate(over="ignore"):
        following = np.nextafter(found, np.float32(np.inf))
    assert (following > thresholds).all()
    assert np.float32(thresholds[0]) > thresholds[0]  # which the nearest would be


@pytest.mark.parametrize("wrong", ["nearest", "one up", "one down", "without the server's addition"])
def test_the_gate_refuses_thresholds_that_are_one_float_off(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = boosted.read(boosted.train(30), tmp_path)
    columns = boosted.columns_of(file)
    right, served = ensemble.rounded_down(file.threshold.value()), ensemble._served  # noqa: SLF001 - to be wrong
    at = {float(each): np.float32(exact) for each, exact in zip(right, file.threshold.value(), strict=True)}

    def changed(thresholds: ensemble.Floats32) -> ensemble.Floats32:
        if wrong == "nearest":
            return served(np.array([at[float(each)] for each in thresholds], np.float32))
        if wrong.startswith("one"):
            return served(np.nextafter(thresholds, np.float32(np.inf if wrong == "one up" else -np.inf)))
        return thresholds

    prove(file, columns)
    monkeypatch.setattr(ensemble, "_served", changed)
    with pytest.raises(Refused, match="at most 1e-05 is allowed"):
        prove(file, columns)


def test_zero_stays_on_its_side_of_lightgbm_s_threshold_beside_it(tmp_path: Path) -> None:
    file = boosted.read(boosted.train(30), tmp_path)
    assert (np.abs(file.threshold.value()) < 1e-30).any()  # the data have zeros
    columns = boosted.columns_of(file)
    windows = np.zeros((1, 1, len(boosted.NAMES)), np.float32)
    expected = BoosterModel(file, columns).predict(windows)
    graph = graph_of(file, columns)
    np.testing.assert_allclose(ServedSession(graph).run(windows), expected, atol=1e-6)
    np.testing.assert_allclose(GraphSession(graph).run(windows), expected, atol=1e-6)


def test_thresholds_beyond_float32_decide_alike(tmp_path: Path) -> None:
    trained = boosted.train(3)
    file = boosted.read(trained, tmp_path)
    threshold = file.threshold.value()
    threshold[:2] = (1e300, -1e300)
    wide = type(file)(
        **{name: getattr(file, name) for name in file.__struct_fields__ if name != "threshold"},
        threshold=type(file.threshold)("<f8", threshold.shape, threshold.tobytes()),
    )
    columns = boosted.columns_of(wide)
    prove(wide, columns)


def test_written_text_is_read_as_the_same_record(tmp_path: Path) -> None:
    file = boosted.read(boosted.train(5, boosting="rf", bagging_freq=1, bagging_fraction=0.5), tmp_path)
    path = tmp_path / "copy.txt"
    path.write_text(booster.written(file))
    assert text.read(path) == file


def test_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    file = boosted.read(boosted.train(5), tmp_path)
    columns = boosted.columns_of(file)
    assert graph_of(file, columns) == graph_of(file, columns)


def test_without_lightgbm_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = boosted.read(boosted.train(2), tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "lightgbm", None)
    with pytest.raises(Refused, match=r"needs LightGBM, .*pip install lightgbm.*libgomp1"):
        BoosterModel(file, boosted.columns_of(file))


def test_model_that_answers_the_same_everywhere_is_refused(tmp_path: Path) -> None:
    data = lgb.Dataset(boosted.rows(whole=False), boosted.labels())
    settings = {"objective": "binary", "min_data_in_leaf": 5_000, "verbosity": -1, "num_threads": 1}
    file = boosted.read(lgb.train(settings, data, 2), tmp_path)
    with pytest.raises(Refused, match="agreement proves nothing"):
        prove(file, boosted.columns_of(file))
