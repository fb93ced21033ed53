"""The process that reads users' files: what it passes on, and hostile files that a whole command refuses in bounds."""

from __future__ import annotations

import json
import pickle
from hashlib import sha256
from pathlib import Path

import h5py
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from benchmarks import hostile_files, hostile_models
from benchmarks.hostile_cases import CASES, Case
from convert.untrusted import contained
from convert.untrusted.contained import FileRefused
from convert.untrusted.models import keras_files
from convert.untrusted.records import KerasFile, ScalerFile
from convert.untrusted.scalers import rebuilding
from tests.market import ROOT

DETECTORS = ROOT / "models" / "keras"
# One of each kind; the others are tried with the long tests.
SHORT = (
    "zip: config.json declares 100 bytes, unpacks to 1 GiB",
    "zip: model.weights.h5 unpacks to 1 GiB",
    "HDF5: a chunk of 16 KiB unpacks to 1 GiB",
    "HDF5: 4,000 texts that are the same megabyte",
    "configuration: 480 layers in reverse",
    "configuration: a build_config of 10^10 weights",
    "pickle: a shape whose product does not end",
    "pickle: equal keys of 4 MB, 30,000 times",
    "HDF5: 200,000 chunks of one byte",
    "TOML: a key of 30,000 parts",
    "JSON: 20,000,000 empty lists",
)


@pytest.mark.serial  # measures memory, and ends a process by its CPU time
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=() if case.name in SHORT else pytest.mark.long) for case in CASES],
)
def test_hostile_file_is_refused_by_its_name_within_bounds(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostile_models, "GIB", 256 << 20)  # to be made quickly; still more than any limit
    source, _ = hostile_files.prepared(tmp_path, case)
    found = hostile_files.convert(source)
    assert found["code"] == 1, found
    assert found["said"].startswith("error: ")
    assert f"{Path(case.replaces).stem}" in found["said"] or "versions.toml: " in found["said"]
    assert found["mib"] < hostile_files.MEBIBYTES
    assert not (tmp_path / "output").exists()


def test_contents_are_those_of_the_files(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).standard_normal((50, 3))
    scaler = StandardScaler().fit(rows)
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pickle.dumps(scaler))
    model = DETECTORS / "direction_classifier_stage2.h5"
    of_model, of_scaler = contained.read([("model", model), ("scaler", path)])
    for found, file in ((of_model, model), (of_scaler, path)):
        assert (found.sha256, found.size) == (sha256(file.read_bytes()).hexdigest(), file.stat().st_size)
    assert isinstance(of_scaler.contents, ScalerFile)
    rebuilt, notes = rebuilding.rebuilt(of_scaler.contents)
    np.testing.assert_array_equal(rebuilt.transform(rows), scaler.transform(rows))
    assert notes == []
    assert isinstance(of_model.contents, KerasFile)
    inspected = keras_files.inspect(model)
    assert of_model.contents.model == inspected.model
    assert [bytes(each) for each in of_model.contents.values] == inspected.values
    with h5py.File(model) as file:
        for dataset, values in zip(inspected.model.datasets, inspected.values, strict=True):
            assert file[dataset.path][()].tobytes() == values


def test_first_file_that_is_refused_is_named(tmp_path: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(b"junk")
    model = DETECTORS / "direction_classifier_stage2.h5"
    with pytest.raises(FileRefused, match=r"^scaler\.pkl: ") as refused:
        contained.read([("model", model), ("scaler", path), ("model", model)])
    assert refused.value.index == 1


def test_file_that_ends_the_process_hides_no_other(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "HDF5: 4,000 texts that are the same megabyte")
    model = DETECTORS / "direction_classifier_stage2.h5"
    hostile = case.make(tmp_path, DETECTORS / case.replaces)
    (tmp_path / "junk.pkl").write_bytes(b"junk")
    tasks: list[tuple[contained.Role, Path]] = [("model", model), ("model", hostile), ("scaler", tmp_path / "junk.pkl")]
    tasks.append(("model", model))
    first, ended, refused, last = contained.read_all(tasks)
    assert isinstance(ended, FileRefused)
    assert isinstance(refused, FileRefused)
    assert (ended.index, refused.index) == (1, 2)
    assert isinstance(first, contained.Contents)
    assert isinstance(last, contained.Contents)
    assert isinstance(first.contents, KerasFile)
    assert isinstance(last.contents, KerasFile)
    assert [bytes(each) for each in first.contents.values] == [bytes(each) for each in last.contents.values]


def test_message_of_a_hostile_file_is_one_printable_line(tmp_path: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(b"\x80\x04cos\x1b[2J\nsystem\n.")
    with pytest.raises(FileRefused) as refused:
        contained.read([("scaler", path)])
    assert str(refused.value).isprintable()
    assert "asks for" in str(refused.value)


def wide(path: Path, mebibytes: int) -> Path:
    """A detector whose only LSTM has about that many mebibytes of weights, as Keras 2 writes it."""
    units = round((mebibytes * (1 << 20) / 16) ** 0.5)
    rng = np.random.default_rng(2)
    layers = [
        {"class_name": "InputLayer", "config": {"name": "input", "batch_input_shape": [None, 20, 12]}},
        {"class_name": "LSTM", "config": {"name": "lstm", "units": units, "activation": "tanh"}},
    ]
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
        cell = file.create_group("model_weights/lstm/lstm/lstm_cell")
        for name, shape in (("kernel", (12, 4 * units)), ("recurrent_kernel", (units, 4 * units))):
            cell.create_dataset(f"{name}:0", data=rng.random(shape, np.float32))
        cell.create_dataset("bias:0", data=rng.random(4 * units, np.float32))
    return path


@pytest.mark.parametrize("mebibytes", [20, pytest.param(200, marks=pytest.mark.long)])
def test_large_detector_is_read(mebibytes: int, tmp_path: Path) -> None:
    path = wide(tmp_path / "model.h5", mebibytes)
    assert path.stat().st_size > mebibytes << 20
    (found,) = contained.read([("model", path)])
    assert isinstance(found.contents, KerasFile)
    assert sum(map(len, found.contents.values)) > mebibytes << 20
