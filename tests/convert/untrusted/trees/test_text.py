"""LightGBM's text: what is read from real files, and what is refused, with the way out."""

from __future__ import annotations

import io
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from convert.errors import Refused
from convert.untrusted import contained, limits
from convert.untrusted.contained import FileRefused
from convert.untrusted.records import TreesFile
from convert.untrusted.trees import text
from tests.convert.trees import boosted
from tests.market import ROOT


def parsed(data: str) -> TreesFile:
    return text.parse(io.BytesIO(data.encode()))


def refusal(data: str) -> str:
    with pytest.raises(Refused) as refused:
        parsed(data)
    return str(refused.value)


@pytest.fixture(scope="module")
def good() -> str:
    return str(boosted.train(4).model_to_string())


def test_what_is_read_is_what_lightgbm_dumps(tmp_path: Path) -> None:
    booster = boosted.train(20, whole=True)
    found, dumped = boosted.read(booster, tmp_path), booster.dump_model()
    assert (found.objective, found.steepness, found.outputs, found.averaged) == ("binary", 1.0, 1, False)
    assert (found.trees, len(found.columns), found.is_named) == (20, 20, False)
    assert found.leaves.value().tolist() == [tree["num_leaves"] for tree in dumped["tree_info"]]
    splits: list[tuple[int, float]] = []
    values: list[float] = []
    deepest = 0

    def walk(node: dict[str, Any], depth: int, of: tuple[dict[int, Any], dict[int, float]]) -> None:
        nonlocal deepest
        if "split_index" in node:
            of[0][node["split_index"]] = (node["split_feature"], node["threshold"])
            deepest = max(deepest, depth + 1)
            walk(node["left_child"], depth + 1, of)
            walk(node["right_child"], depth + 1, of)
        else:
            of[1][node["leaf_index"]] = node["leaf_value"]

    for tree in dumped["tree_info"]:
        of: tuple[dict[int, Any], dict[int, float]] = ({}, {})
        walk(tree["tree_structure"], 0, of)
        splits += [of[0][i] for i in range(len(of[0]))]
        values += [of[1][i] for i in range(len(of[1]))]
    assert list(zip(found.column.value().tolist(), found.threshold.value().tolist(), strict=True)) == splits
    assert found.value.value().tolist() == values
    assert found.parameters == len(splits) + len(values)
    assert found.depth == deepest


def test_lines_that_end_as_in_windows_are_read(good: str) -> None:
    assert parsed(good.replace("\n", "\r\n")) == parsed(good)


def test_trees_of_one_leaf_are_read() -> None:
    booster = lgb.train(
        {"objective": "binary", "min_data_in_leaf": 1_000, "verbosity": -1, "num_threads": 1},
        lgb.Dataset(np.zeros((100, 2)), np.arange(100) % 2),
        2,
    )
    found = parsed(booster.model_to_string())
    assert set(found.leaves.value().tolist()) == {1}
    assert (found.column.shape, found.depth) == ((0,), 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"objective": "regression"}, "objective regression: no probability of a class"),
        ({"objective": "cross_entropy_lambda"}, "objective cross_entropy_lambda: no probability"),
        ({"objective": "multiclassova", "num_class": 3}, "train it with objective=multiclass"),
        ({"objective": "multiclass", "num_class": 4}, "num_class=4, expected 3: hold, long and short"),
        ({"objective": "multiclass", "num_class": 2}, "for two, train it with objective=binary"),
        ({"zero_as_missing": True}, "train it with zero_as_missing=false"),
        ({"linear_tree": True}, "train it with linear_tree=false"),
    ],
)
def test_kinds_that_are_refused_name_the_way_out(settings: dict[str, Any], words: str) -> None:
    booster = boosted.train(2, **settings)
    assert words in refusal(booster.model_to_string())


def test_categories_are_refused() -> None:
    kinds = np.arange(900) % 7
    data = lgb.Dataset(kinds[:, None], kinds % 2, categorical_feature=[0])
    trained = lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 2)
    assert "train it without categorical_feature" in refusal(trained.model_to_string())


def test_model_of_an_own_loss_is_refused() -> None:
    booster = boosted.train(2, objective=lambda scores, data: (scores - data.get_label(), np.ones_like(scores)))
    assert "no objective, as in a model of a loss of your own" in refusal(booster.model_to_string())


def with_value(key: str, value: str) -> Callable[[str], str]:
    return lambda good: re.sub(rf"(?m)^{key}=.*$", f"{key}={value}", good, count=1)


def with_first(key: str, value: str) -> Callable[[str], str]:
    return lambda good: re.sub(rf"(?m)^{key}=\S+", f"{key}={value}", good, count=1)


HOSTILE: dict[str, tuple[Callable[[str], str], str]] = {
    "column": (with_first("split_feature", "4"), "tree 0: a split by column 4, but the model has 4"),
    "negative column": (with_first("split_feature", "-1"), "a split by column -1"),
    "itself": (with_first("left_child", "0"), "are not each split and leaf once"),
    "shared": (with_first("right_child", "1"), "are not each split and leaf once"),
    "no such leaf": (with_first("left_child", "-99"), "are not each split and leaf once, first at -99"),
    "no such split": (with_first("left_child", "99"), "are not each split and leaf once"),
    "huge index": (with_first("left_child", "9" * 30), "no whole number of 32 bits"),
    "endless digits": (with_first("left_child", "9" * 9_000), "no whole number of 32 bits"),
    "fraction": (with_first("left_child", "1.5"), "no whole number"),
    "fewer values": (with_value("threshold", "1 2 3"), "3 values of threshold, expected 14"),
    "double space": (with_first("threshold", " 1"), "values of threshold, expected 14"),
    "nan": (with_first("leaf_value", "nan"), "leaf_value has a value that is no finite number"),
    "infinite": (with_first("threshold", "1e999"), "threshold has a value that is no finite number"),
    "text": (with_first("threshold", "abc"), "threshold has a value that is no finite number"),
    "unknown decision": (with_first("decision_type", "14"), "decision_type 14 is unknown"),
    "negative decision": (with_first("decision_type", "-2"), "decision_type -2 is unknown"),
    "no leaves": (with_value("num_leaves", "0"), "num_leaves=0 is not within 1 to 4,096"),
    "many leaves": (with_value("num_leaves", "1000000000"), "num_leaves=1000000000 is not within"),
    "leaves of another number": (with_value("num_leaves", "3"), "expected 3"),
    "many columns": (with_value("max_feature_idx", "99999999"), "max_feature_idx=99999999 is not within"),
    "fewer names": (with_value("feature_names", "a b"), "2 names of columns, but max_feature_idx"),
    "old": (with_value("version", "v2"), "written in the form v2"),
    "steep": (with_value("objective", "binary sigmoid:-1"), "sigmoid:-1 in its objective"),
    "another number of sums": (with_value("num_tree_per_iteration", "3"), "num_tree_per_iteration=3, expected 1"),
    "twice": (lambda good: good.replace("num_cat=0\n", "num_cat=0\nnum_leaves=15\n", 1), "num_leaves is there twice"),
    "tree missing": (lambda good: good.replace("Tree=1\n", "Tree=2\n", 1), "tree 1 is missing"),
    "no trees": (lambda good: good[: good.index("Tree=0")] + "end of trees\n", "0 trees"),
    "cut": (lambda good: good[: good.index("Tree=2")], "ends before its line `end of trees`"),
    "no head": (lambda good: "tree\nversion=v4\n\n" + good[good.index("Tree=0") :], "in its head"),
    "before the trees": (
        lambda good: good.replace("Tree=0\n", "junk\nTree=0\n", 1),
        "junk comes before the first tree",
    ),
    "no value": (lambda good: re.sub(r"(?m)^leaf_value=.*\n", "", good, count=1), "no leaf_value"),
    "not it": (lambda _: "tree of mine", "not the text of a LightGBM model"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text_is_refused(case: str, good: str) -> None:
    edit, words = HOSTILE[case]
    assert edit(good) != good
    said = refusal(edit(good))
    assert re.search(words, said), said


def chain(leaves: int) -> str:
    """The text of a tree in which each split has a leaf to the left, and the next split to the right."""
    splits = leaves - 1
    rights = [*range(1, splits), -leaves]
    numbers: dict[str, list[float]] = {
        "split_feature": [0] * splits,
        "threshold": [0.5] * splits,
        "decision_type": [2] * splits,
        "left_child": [-1 - i for i in range(splits)],
        "right_child": rights,
        "leaf_value": [0.1] * leaves,
    }
    lines = [f"{key}={' '.join(map(str, values))}" for key, values in numbers.items()]
    return "\n".join([f"num_leaves={leaves}", "num_cat=0", *lines, ""])


HEAD = (
    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=binary\nfeature_names=a\n\n"
)


def of_blocks(blocks: list[str]) -> str:
    return HEAD + "".join(f"Tree={i}\n{block}\n\n" for i, block in enumerate(blocks)) + "end of trees\n"


def test_circle_beside_the_tree_is_refused() -> None:
    block = (
        chain(4)
        .replace("left_child=-1 -2 -3", "left_child=-1 2 1")
        .replace("right_child=1 2 -4", "right_child=-2 -3 -4")
    )
    assert "split 1 is a child of the later split 2, so there is a circle" in refusal(of_blocks([block]))


def test_depth_and_numbers_are_limited() -> None:
    assert parsed(of_blocks([chain(limits.TREE_DEPTH + 1)])).depth == limits.TREE_DEPTH
    assert "more than 200 splits deep" in refusal(of_blocks([chain(limits.TREE_DEPTH + 2)]))
    assert "more than 10,000 trees" in refusal(of_blocks([chain(2)] * (limits.TREES + 1)))
    assert "more than 100,000 leaves" in refusal(of_blocks([chain(200)] * 501))


def test_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    path.write_bytes(b"tree\nversion=v4\n" + bytes(limits.TREES_FILE))
    (found,) = contained.read_all([("model", path)])
    assert isinstance(found, FileRefused)
    assert str(found) == "model.txt: larger than 16 MiB; train fewer or smaller trees"


def test_process_that_reads_files_gives_the_same_record(tmp_path: Path) -> None:
    path = boosted.save(boosted.train(5, names=["a", "b", "c", "d"]), tmp_path / "any name.h5")
    (found,) = contained.read([("model", path)])
    assert found.contents == text.read(path)
    assert found.size == path.stat().st_size


def test_largest_models_are_read_within_the_limits_of_the_process(tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    path.write_text(of_blocks([chain(200)] * 500))
    (found,) = contained.read([("model", path)])
    assert isinstance(found.contents, TreesFile)
    assert found.contents.value.shape == (limits.LEAVES,)


def test_changed_bytes_end_in_a_record_or_a_refusal(good: str) -> None:
    """A small sample of what `make fuzz` does; every tree that is read can be walked to a leaf."""
    draw, data = random.Random(4), good[: good.index("parameters:")].encode()  # noqa: S311 - a fixed sample
    read = 0
    for _ in range(600):
        changed = bytearray(data)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(changed))
            changed[at : at + draw.randint(0, 2)] = draw.choice([b"", b"-", b"9", b" ", b"\n", b"=", b"e9", b"\xff"])
        try:
            found = text.parse(io.BytesIO(bytes(changed)))
        except Refused:
            continue
        read += 1
        assert found.parameters == len(found.threshold.value()) + len(found.value.value())
    assert read > 50


def test_reading_needs_neither_lightgbm_nor_tensorflow(tmp_path: Path) -> None:
    path = boosted.save(boosted.train(2), tmp_path / "model.txt")
    code = (
        "import sys; from pathlib import Path; from convert.untrusted.trees import text;"
        f"text.read(Path({str(path)!r}));"
        "print(sorted({'lightgbm', 'tensorflow', 'h5py', 'onnx'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
