"""Groups, attributes and datasets of HDF5 files: which are read, and which are refused before their values are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from convert.errors import Refused
from convert.untrusted import limits
from convert.untrusted.models import hdf5, keras_files, verdicts
from convert.untrusted.records import ArrayRecord
from tests.market import ROOT

DETECTOR = ROOT / "models" / "keras" / "direction_classifier_stage2.h5"
WEIGHTS = "model_weights/dense_1/dense_1/kernel:0"


def copy(folder: Path, change: Callable[[h5py.File], Any]) -> Path:
    path = folder / "model.h5"
    path.write_bytes(DETECTOR.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(**options: Any) -> Callable[[h5py.File], None]:  # noqa: ANN401 - of h5py
    def change(file: h5py.File) -> None:
        values = file[WEIGHTS][()]
        del file[WEIGHTS]
        file.create_dataset(WEIGHTS, **({"data": values} | options))

    return change


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip"},
        {"compression": "lzf", "shuffle": True},
        {"compression": "gzip", "fletcher32": True, "chunks": (4, 1)},
        {"chunks": True},
        {"dtype": ">f4"},
        {"dtype": "f8"},
    ],
)
def test_weights_that_are_stored_in_another_way_are_the_same(options: dict[str, Any], tmp_path: Path) -> None:
    found, expected = keras_files.inspect(copy(tmp_path, replaced(**options))), keras_files.inspect(DETECTOR)
    assert [each.path for each in found.model.datasets] == [each.path for each in expected.model.datasets]
    for dataset, values, wanted in zip(found.model.datasets, found.values, expected.values, strict=True):
        np.testing.assert_array_equal(np.frombuffer(values, dataset.dtype), np.frombuffer(wanted, "<f4"))


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "i4", "data": np.zeros((16, 1), "i4"), "scaleoffset": 0},
        {"data": "text"},
        {"data": np.zeros(3, [("a", "f4"), ("b", "i4")])},
        {"data": np.zeros(3, "c8")},
        {"data": None, "shape": (3,), "dtype": h5py.vlen_dtype("f4")},
        {"data": None, "shape": (3,), "dtype": h5py.ref_dtype},
        {"data": None, "shape": (1,) * (limits.HDF5_RANK + 1)},
        {"data": h5py.Empty("f4")},
        {"data": np.ones((16, 1), bool)},
        {"data": np.ones((16, 1), "i1"), "dtype": h5py.enum_dtype({"a": 1}, "i1")},
    ],
)
def test_dataset_that_no_weights_need_is_refused(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Refused, match=f"^{WEIGHTS} has "):
        keras_files.inspect(copy(tmp_path, replaced(**options)))


def test_values_may_be_four_times_the_size_of_the_file_and_a_little(tmp_path: Path) -> None:
    def add(count: int) -> Callable[[h5py.File], None]:
        return lambda file: file.create_dataset(
            "model_weights/zeros", shape=(count,), dtype="u1", chunks=(1 << 16,), compression="gzip"
        )

    path = copy(tmp_path, lambda _file: None)
    most = limits.unpacked(path.stat().st_size)
    assert sum(map(len, keras_files.inspect(copy(tmp_path, add(most - (1 << 20)))).values)) < most
    with pytest.raises(Refused, match=r"^model_weights/zeros declares "):
        keras_files.inspect(copy(tmp_path, add(most + (1 << 20))))


def deep(file: h5py.File) -> None:
    file.create_group("model_weights" + "/g" * (limits.HDF5_DEPTH + 1))


def second_name(file: h5py.File) -> None:
    file["model_weights/second"] = file[WEIGHTS]


def named_type(file: h5py.File) -> None:
    file["model_weights/type"] = np.dtype("f4")


def reference(file: h5py.File) -> None:
    file["model_weights"].attrs["to"] = file[WEIGHTS].ref


def record(file: h5py.File) -> None:
    file["model_weights"].attrs["record"] = np.zeros(2, [("a", "f4"), ("b", "i4")])


def many_values(file: h5py.File) -> None:
    file["model_weights"].attrs.create("many", np.zeros(limits.HDF5_ELEMENTS + 1, "u1"))


@pytest.mark.parametrize("change", [deep, second_name, named_type, reference, record, many_values])
def test_group_or_attribute_that_no_weights_need_is_refused(
    change: Callable[[h5py.File], None], tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="model_weights"):
        keras_files.inspect(copy(tmp_path, change))


def attributes(count: int) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        for i in range(count):
            file["model_weights"].attrs[f"a{i}"] = 1

    return change


def test_number_of_attributes_has_a_limit_far_above_what_keras_writes(tmp_path: Path) -> None:
    honest = sum(len(group.attributes) for group in keras_files.inspect(DETECTOR).model.groups)
    assert honest < limits.HDF5_ATTRIBUTES / 100
    path = copy(tmp_path, attributes(limits.HDF5_ATTRIBUTES - honest))
    keras_files.inspect(path)
    with h5py.File(path, "r+") as file:
        file["model_weights"].attrs["one more"] = 1
    with pytest.raises(Refused, match=r"more than 5,000 attributes"):
        keras_files.inspect(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file["model_weights"].create_group("n" * (limits.HDF5_NAME + 1)),
        lambda file: file["model_weights"].create_dataset("n" * (limits.HDF5_NAME + 1), data=[1.0]),
        lambda file: file["model_weights"].attrs.create("n" * (limits.HDF5_NAME + 1), 1),
        lambda file: file.create_dataset(f"model_weights/{'n' * 900}/{'m' * 900}", data="text"),
        lambda file: file.require_group(f"model_weights/{'n' * 900}").attrs.create(
            "a" * 900, file.ref, dtype=h5py.ref_dtype
        ),
    ],
)
def test_long_name_is_refused_in_a_short_message(change: Callable[[h5py.File], None], tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        keras_files.inspect(copy(tmp_path, change))
    assert len(str(refused.value)) < 400


def test_values_that_were_never_written_can_be_not_a_number(tmp_path: Path) -> None:
    path = copy(tmp_path, replaced(data=None, shape=(16, 1), dtype="f4", chunks=(4, 1), fillvalue=np.nan))
    with pytest.raises(Refused, match=r"NaN or infinite.*: dense_1/dense_1/kernel:0; "):
        verdicts.check_weights(keras_files.inspect(path))
    verdicts.check_weights(keras_files.inspect(DETECTOR))


def test_attributes_keep_their_kind(tmp_path: Path) -> None:
    given: dict[str, Any] = {"text": "a", "texts": ["b", "c"], "bytes": np.array([b"d", b"ef"]), "number": 3}
    given |= {"numbers": [0.5, 1.5], "none": h5py.Empty("f4"), "nothing": np.zeros(0)}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs.update(given)
    with h5py.File(tmp_path / "a.h5") as file:
        reader = hdf5.Reader(1 << 20, keras_files.Kept())
        reader.read(file, "")
    found = reader.groups[0].attributes
    assert (found["text"], found["texts"], found["none"]) == ("a", ["b", "c"], None)
    for name in ("bytes", "number", "numbers", "nothing"):
        value = found[name]
        assert isinstance(value, ArrayRecord)
        np.testing.assert_array_equal(value.value(), given[name])
