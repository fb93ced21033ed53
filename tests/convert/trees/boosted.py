"""Small LightGBM models, trained on the features of real candles."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from convert.sources.versions import StageFiles
from convert.trees.columns import TreeColumns, find
from convert.untrusted.records import TreesFile
from convert.untrusted.trees import text
from core.features.candles import Floats
from core.features.catalogue import matrix
from tests.market import candles

NAMES = ["rsi_14", "macd", "stoch_k", "close"]
STEPS = 5
FILES = StageFiles(model="model.txt", features="features.json")
_SETTINGS = {"objective": "binary", "num_leaves": 15, "learning_rate": 0.1, "num_threads": 1, "verbosity": -1}


@cache
def table() -> Floats:
    """Features of 1,500 bars, a row a bar. The first is often exactly 0, as LightGBM treats zeros apart."""
    found = matrix(candles(0, 1_700), NAMES, 1_500)
    found[:, 0] = np.where(np.abs(found[:, 0] - 50.0) < 8.0, 0.0, found[:, 0] - 50.0)
    return found


def rows(*, whole: bool) -> Floats:
    """The inputs of a model: the last step of each window, or all steps, the oldest first."""
    windows = sliding_window_view(table(), STEPS, axis=0).transpose(0, 2, 1)
    return windows.reshape(len(windows), -1) if whole else windows[:, -1]


def labels(classes: int = 2) -> Floats:
    """The next bar's move, in this many parts of the same size."""
    close = np.append(table()[STEPS - 1 :, 3], table()[-1, 3])
    return np.floor(np.argsort(np.argsort(np.diff(close))) * classes / (len(close) - 1))


def train(rounds: int = 30, *, whole: bool = False, names: list[str] | None = None, **settings: Any) -> lgb.Booster:  # noqa: ANN401 - of LightGBM
    """A model of the last step, or of the whole window."""
    data = lgb.Dataset(rows(whole=whole), labels(settings.get("num_class", 2)), feature_name=names or "auto")
    return lgb.train(_SETTINGS | settings, data, rounds)


def read(booster: lgb.Booster, folder: Path) -> TreesFile:
    """The model as it is read from its file."""
    return text.read(save(booster, folder / "model.txt"))


def save(booster: lgb.Booster, path: Path) -> Path:
    booster.save_model(path)
    return path


def columns_of(file: TreesFile, files: StageFiles = FILES) -> TreeColumns:
    return find(len(file.columns), len(NAMES), files)


def source(folder: Path, stages: dict[str, lgb.Booster], more: str = "", **keys: str) -> Path:
    """A source folder with one version, `trees`. more: further lines of its first stage; keys: of the version."""
    folder.mkdir(exist_ok=True)
    (folder / "features.json").write_text(json.dumps(NAMES))
    lines = ['order = ["trees"]', "[versions.trees]", 'name = "Trees"']
    lines += [f"{key} = {value}" for key, value in ({"threshold": "0.5"} | keys).items()]
    for label, booster in stages.items():
        save(booster, folder / f"{label}.txt")
        lines += [f"[versions.trees.{label}]", f'model = "{label}.txt"', 'features = "features.json"']
        lines += [more] if label == "stage1" else ['positive = "short"']
    (folder / "versions.toml").write_text("\n".join(lines))
    return folder
