"""Hostile pickles: the refusal has the name that they ask for, and none of their code runs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from convert.errors import Refused
from convert.untrusted.scalers import rebuilding, unpickle

ROWS = np.random.default_rng(0).normal(size=(50, 3))


class Runs:
    """Calls `function(*arguments)` when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def scaler_with(attribute: object) -> StandardScaler:
    """A working scaler with another attribute."""
    scaler = StandardScaler().fit(ROWS)
    scaler.note_ = attribute
    return scaler


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "ran"


def touching(marker: Path) -> Runs:
    return Runs(os.system, f"touch {marker}")


def refused(path: Path, asks_for: str, marker: Path) -> None:
    with pytest.raises(Refused, match=rf"^{path.name}: asks for {asks_for}, "):
        rebuilding.rebuilt(unpickle.read(path))
    assert not marker.exists()


def test_marker_appears_if_pickle_loads_the_file(marker: Path) -> None:
    """These pickles do run code, so the other tests would detect it."""
    pickle.loads(pickle.dumps(scaler_with(touching(marker))))  # noqa: S301
    assert marker.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_command_is_refused(protocol: int, tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pickle.dumps(touching(marker), protocol=protocol))
    refused(path, "posix.system", marker)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_command_within_a_working_scaler_is_refused(protocol: int, tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pickle.dumps(scaler_with([{"a": (touching(marker),)}]), protocol=protocol))
    refused(path, "posix.system", marker)


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_command_in_a_joblib_file_is_refused(compress: object, tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "scaler.joblib"
    joblib.dump(scaler_with(touching(marker)), path, compress=compress)
    refused(path, "posix.system", marker)


@pytest.mark.parametrize("compress", [0, ("gzip", 3)])
def test_command_within_an_object_array_is_refused(compress: object, tmp_path: Path, marker: Path) -> None:
    """joblib writes such arrays as pickles of their own, beside the outer one."""
    path = tmp_path / "scaler.joblib"
    joblib.dump(scaler_with(np.array([touching(marker), "close"], dtype=object)), path, compress=compress)
    refused(path, "posix.system", marker)


def test_command_within_an_array_within_an_array_is_refused(tmp_path: Path, marker: Path) -> None:
    inner = np.empty(1, dtype=object)
    inner[0] = touching(marker)
    outer = np.empty(1, dtype=object)
    outer[0] = inner
    path = tmp_path / "scaler.joblib"
    joblib.dump(scaler_with(outer), path)
    refused(path, "posix.system", marker)


def test_command_within_a_reduction_within_a_reduction_is_refused(tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pickle.dumps(Runs(StandardScaler, Runs(np.dtype, touching(marker)))))
    refused(path, "posix.system", marker)


@pytest.mark.parametrize(
    ("opcodes", "asks_for"),
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"cbuiltins\nexec\n(S'1'\ntR.", "builtins.exec"),
        (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        (b"c__builtin__\n__import__\n(S'os'\ntR.", "__builtin__.__import__"),
        (b"cnumpy.f2py.diagnose\nrun_command\n(S'id'\ntR.", "numpy.f2py.diagnose.run_command"),
        (b"cnumpy.testing._private.utils\nrunstring\n.", "numpy.testing._private.utils.runstring"),
        (b"cnumpy\nload\n.", "numpy.load"),
        (b"cjoblib.numpy_pickle_compat\nNDArrayWrapper\n.", "joblib.numpy_pickle_compat.NDArrayWrapper"),
        (b"cjoblib\nload\n.", "joblib.load"),
        (b"cjoblib.numpy_pickle\nos\n.", "joblib.numpy_pickle.os"),
        (b"csklearn.preprocessing._data\nnp\n.", "sklearn.preprocessing._data.np"),
        # With protocol 4 a name can have dots, and Python would look it up through the class.
        (
            pickle.PROTO + b"\x04" + b"\x8c\x07sklearn\x8c\x19preprocessing.sys.modules" + b"\x93.",
            "sklearn.preprocessing.sys.modules",
        ),
        (
            pickle.PROTO
            + b"\x04"
            + b"\x8c\x1bsklearn.preprocessing._data\x8c\x23StandardScaler.__init__.__globals__\x93.",
            "sklearn.preprocessing._data.StandardScaler.__init__.__globals__",
        ),
    ],
)
def test_other_paths_to_code_are_refused(opcodes: bytes, asks_for: str, tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(opcodes)
    with pytest.raises(Refused, match=f"asks for {asks_for}"):
        rebuilding.rebuilt(unpickle.read(path))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("estimator", "asks_for"),
    [
        (PCA(2), "sklearn.decomposition._pca.PCA"),
        (FunctionTransformer(np.log1p), "numpy.log1p"),
        (GridSearchCV(Ridge(), {"alpha": [1.0]}), "sklearn.model_selection._search.GridSearchCV"),
        (TransformedTargetRegressor(Ridge()), "sklearn.compose._target.TransformedTargetRegressor"),
        (RandomForestClassifier(), "sklearn.ensemble._forest.RandomForestClassifier"),
        (PolynomialFeatures(), "sklearn.preprocessing._polynomial.PolynomialFeatures"),
        (make_pipeline(StandardScaler(), PCA(2)), "sklearn.decomposition._pca.PCA"),
    ],
)
def test_other_estimator_is_refused_by_name(estimator: object, asks_for: str, tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pickle.dumps(estimator))
    refused(path, asks_for, marker)


@pytest.mark.parametrize(
    "content", [b"", b"junk", b"\x80\x04", b"x\x9cjunk", b"\x80\x04K\x01", pickle.dumps(ROWS)[:-40]]
)
def test_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(content)
    with pytest.raises(Refused, match=r"^scaler.pkl: not a readable pickle or joblib file"):
        rebuilding.rebuilt(unpickle.read(path))


SCALERS = {
    "standard": StandardScaler(),
    "min max": MinMaxScaler((-1, 2), clip=True),
    "max abs": MaxAbsScaler(),
    "robust": RobustScaler(),
    "pipeline": Pipeline([("a", RobustScaler()), ("skip", "passthrough"), ("b", MinMaxScaler())]),
}


@pytest.mark.parametrize("name", SCALERS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_scaler_is_read_from_a_pickle(name: str, protocol: int, tmp_path: Path) -> None:
    scaler = SCALERS[name].fit(ROWS)
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pickle.dumps(scaler, protocol=protocol))
    loaded, notes = rebuilding.rebuilt(unpickle.read(path))
    np.testing.assert_array_equal(loaded.transform(ROWS), scaler.transform(ROWS))
    assert notes == []


@pytest.mark.parametrize("compress", [0, 3, ("zlib", 9), ("gzip", 1), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_scaler_is_read_from_a_joblib_file(compress: object, tmp_path: Path) -> None:
    scaler = SCALERS["pipeline"].fit(ROWS)
    scaler.named_steps["a"].feature_names_in_ = np.array(["close", "high", "low"], dtype=object)
    path = tmp_path / "scaler.pkl"  # as users name them
    joblib.dump(scaler, path, compress=compress)
    loaded, _ = rebuilding.rebuilt(unpickle.read(path))
    np.testing.assert_array_equal(loaded.named_steps["a"].center_, scaler.named_steps["a"].center_)
    assert list(loaded.named_steps["a"].feature_names_in_) == ["close", "high", "low"]


@pytest.mark.parametrize("compress", [zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_compressed_pickle_is_read(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "scaler.pkl.gz"
    path.write_bytes(compress(pickle.dumps(SCALERS["standard"].fit(ROWS))))
    np.testing.assert_array_equal(rebuilding.rebuilt(unpickle.read(path))[0].mean_, ROWS.mean(axis=0))


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (b"sklearn.preprocessing._data", b"sklearn.preprocessing.data"),
        (b"numpy._core.multiarray", b"numpy.core.multiarray"),
    ],
)
def test_name_of_an_older_release_is_known(now: bytes, then: bytes, tmp_path: Path) -> None:
    content = pickle.dumps(SCALERS["standard"].fit(ROWS), protocol=2)  # names end with a newline, not by their length
    assert now in content
    path = tmp_path / "scaler.pkl"
    path.write_bytes(content.replace(now, then))
    np.testing.assert_array_equal(rebuilding.rebuilt(unpickle.read(path))[0].mean_, ROWS.mean(axis=0))


def test_older_release_is_a_note_without_a_warning(tmp_path: Path) -> None:
    content = pickle.dumps(SCALERS["standard"].fit(ROWS))
    path = tmp_path / "scaler.pkl"
    path.write_bytes(content.replace(sklearn.__version__.encode(), b"1.2.2"))
    loaded, notes = rebuilding.rebuilt(unpickle.read(path))
    assert notes == ["scaler.pkl was written by scikit-learn 1.2.2"]
    np.testing.assert_array_equal(loaded.mean_, ROWS.mean(axis=0))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("joblibs", [True, False])
def test_arrays_of_every_form_keep_their_values(joblibs: bool, protocol: int, tmp_path: Path) -> None:  # noqa: FBT001
    scaler = StandardScaler().fit(ROWS)
    form = {
        "mean_": ROWS.mean(axis=0).astype(">f8"),
        "scale_": np.asfortranarray(ROWS[:3]),
        "var_": ROWS[:3].astype(">f4"),
        "n_samples_seen_": np.int64(50),
        "n_features_in_": np.uint8(3),
        "feature_names_in_": np.asfortranarray([["a", "b"], ["c", None]], dtype=object),
        "with_mean": np.bool_(True),
        "with_std": np.array([True, False]),
        "copy": (np.float32(1.5), "text", 2, None),
    }
    for name, value in form.items():
        setattr(scaler, name, value)
    path = tmp_path / "scaler.pkl"
    if joblibs:
        joblib.dump(scaler, path, protocol=protocol)
    else:
        path.write_bytes(pickle.dumps(scaler, protocol=protocol))
    loaded, _ = rebuilding.rebuilt(unpickle.read(path))
    for name, value in form.items():
        found = getattr(loaded, name)
        assert type(found) is type(value), name
        np.testing.assert_array_equal(found, value)
        if isinstance(value, np.ndarray):
            assert found.dtype == value.dtype.newbyteorder("=")


@pytest.mark.parametrize("names", [np.array(["close", "h\u00f6he"]), np.array([b"a", b"bc"])])
def test_texts_are_arrays_too(names: np.ndarray[Any, Any], tmp_path: Path) -> None:
    scaler = StandardScaler().fit(ROWS)
    scaler.feature_names_in_ = names
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / "scaler.pkl"
        path.write_bytes(pickle.dumps(scaler, protocol=protocol))
        np.testing.assert_array_equal(rebuilding.rebuilt(unpickle.read(path))[0].feature_names_in_, names)


def test_attributes_that_users_add_are_left_out(tmp_path: Path) -> None:
    scaler = StandardScaler().fit(ROWS)
    scaler.note_, scaler.transform = {1: [{"a"}, frozenset({"b"})]}, "text"
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pickle.dumps(scaler))
    loaded, _ = rebuilding.rebuilt(unpickle.read(path))
    assert not hasattr(loaded, "note_")
    np.testing.assert_array_equal(loaded.transform(ROWS), (ROWS - scaler.mean_) / scaler.scale_)


def test_array_of_a_joblib_without_alignment_is_read(tmp_path: Path) -> None:
    """joblib 1.1 and older: neither a count of padding bytes nor padding."""
    scaler = StandardScaler().fit(ROWS)

    class NoTell(io.BytesIO):
        def tell(self) -> int:
            raise io.UnsupportedOperation

    file = NoTell()
    joblib.dump(scaler, file)
    path = tmp_path / "scaler.pkl"
    path.write_bytes(file.getvalue())
    np.testing.assert_array_equal(rebuilding.rebuilt(unpickle.read(path))[0].mean_, scaler.mean_)
