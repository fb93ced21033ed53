"""Pickles that crashed, changed or filled the process that read them, each read in a process of its own."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

# Reads each file in a fork of its own, because importing the libraries takes longer than reading. A fork prints the
# result for its file, and checks that the watched objects have not changed. After a crash, the exit status is not 0.
# The limit on memory is far above the need of reading a scaler, and far below the demands of the files.
READ = """
import os, resource, sys, traceback
from pathlib import Path
import joblib.numpy_pickle
import numpy as np
from sklearn.preprocessing import StandardScaler
from convert.errors import Refused
from convert.scalers.scaler import Scaler
from convert.untrusted.scalers import unpickle

watched = [joblib.numpy_pickle.NumpyArrayWrapper, StandardScaler, np._core.numeric._frombuffer]
before = [dict(vars(one)) for one in watched] + [np._core.numeric._frombuffer.__defaults__]

def read(path):
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.RLIM_INFINITY))
    try:
        Scaler(unpickle.read(path)).part(1)
    except Refused as error:
        print("refused", error)
    else:
        print("accepted", path.name)
    assert before == [dict(vars(one)) for one in watched] + [np._core.numeric._frombuffer.__defaults__]
    # Not getrusage's maximum, because a process inherits it from its parent.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print("peak", int(peak.split()[1]) // 1024, flush=True)


for path in map(Path, sys.argv[1:]):
    child = os.fork()
    if not child:
        try:
            read(path)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print("status", os.waitpid(child, 0)[1], flush=True)
"""

PROTO = b"\x80\x04"
BYTES = b"C\x08ABCDEFGH"


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def plain(value: object) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def state(onto: bytes, *parts: bytes) -> bytes:
    return onto + b"(" + b"".join(parts) + b"tb"


def dtype(code: str, *rest: object) -> bytes:
    made = call(name("numpy", "dtype"), plain(code), plain(False), plain(True))
    return made + plain((3, "|", None, None, None, *rest)) + b"b"


NDARRAY = name("numpy", "ndarray")
OBJECTS = dtype("O8", -1, -1, 0)  # objects, without the flags of objects
ARRAY = call(name("numpy._core.multiarray", "_reconstruct"), NDARRAY, plain((0,)), b"C\x01b")
ADDRESSES = state(ARRAY, plain(1), plain((1,)), OBJECTS, plain(False), BYTES)
WRAPPER = name("joblib.numpy_pickle", "NumpyArrayWrapper")
SCALER = name("sklearn.preprocessing._data", "StandardScaler")


def scaler(**attributes: bytes) -> bytes:
    given = {"mean_": plain([0.0]), "scale_": plain([1.0]), "with_mean": plain(True), "with_std": plain(True)}
    items = b"".join(plain(key) + value for key, value in (given | attributes).items())
    return SCALER + b")\x81}(" + items + b"ub"


def changed(onto: bytes, attributes: dict[str, object]) -> bytes:
    """A working scaler, behind an operation that gives another object a state."""
    return onto + plain((None, attributes)) + b"b0" + scaler()


HOSTILE = {
    "array on an address": call(NDARRAY, plain((1,)), plain("O"), BYTES),
    "addresses for objects": ADDRESSES,
    "addresses in a scaler": scaler(mean_=ADDRESSES, scale_=ADDRESSES),
    "object on an address": scaler(mean_=call(name("numpy._core.multiarray", "scalar"), OBJECTS, BYTES)),
    "objects from a buffer": scaler(
        mean_=call(name("numpy._core.numeric", "_frombuffer"), BYTES, OBJECTS, plain((1,)), plain("C"))
    ),
    "addresses in joblib's array": scaler(
        mean_=WRAPPER
        + b")\x81}("
        + plain("shape")
        + plain((1,))
        + plain("dtype")
        + OBJECTS
        + plain("order")
        + plain("C")
        + b"ub"
        + b"ABCDEFGH."
    ),
    "more elements than bytes": scaler(mean_=state(ARRAY, plain(1), plain((9,)), dtype("f8"), plain(False), BYTES)),
    "elements below none": scaler(mean_=state(ARRAY, plain(1), plain((-1,)), dtype("f8"), plain(False), BYTES)),
    "size of another type": scaler(
        mean_=call(name("numpy._core.multiarray", "scalar"), dtype("V8", 1 << 30, 1, 0), BYTES)
    ),
    "array of 800 GB": call(NDARRAY, plain((10**11,)), plain("d")),
    "joblib's array of 800 GB": scaler(
        mean_=WRAPPER
        + b")\x81}("
        + plain("shape")
        + plain((10**11,))
        + plain("dtype")
        + dtype("f8")
        + plain("order")
        + plain("C")
        + b"ub"
    ),
    "text of no characters": scaler(
        mean_=call(name("numpy._core.multiarray", "scalar"), dtype("U2"), b"C\x08" + b"\xff" * 8)
    ),
    "codec": call(name("_codecs", "encode"), plain("\u00e9\u4e00" * 2000), plain("idna")),
    "state for a class of joblib": changed(WRAPPER, {"read": 1}),
    "state for a class of scikit-learn": changed(SCALER, {"transform": 1}),
    "state for a function": changed(name("numpy._core.numeric", "_frombuffer"), {"__defaults__": (1,)}),
    "state for object": changed(name("builtins", "object"), {"a": 1}),
    "key deep enough to exhaust the stack on hashing": b"}" + b")" + b"\x85" * 900_000 + b"Ns",
    "element deep enough to exhaust it": b"\x8f()" + b"\x85" * 900_000 + b"\x90",
    "name deep enough to exhaust it": b")" + b"\x85" * 900_000 + b"N\x93",
    "value deep enough to exhaust it": scaler(mean_=b")" + b"\x85" * 900_000),
    "60 million objects": b"(" + b"}" * 60_000_000 + b"l",
    "buffer of 8 GB": b"\x96" + (8 << 30).to_bytes(8, "little"),
    "one array many times": b"B"
    + (30 << 20).to_bytes(4, "little")
    + bytes(30 << 20)
    + b"q\x000"
    + scaler(
        **dict.fromkeys(
            ("mean_", "scale_", "var_"),
            call(name("numpy._core.numeric", "_frombuffer"), b"h\x00", dtype("i1"), plain((30 << 20,)), plain("C")),
        )
    ),
}


def read(paths: list[Path]) -> list[tuple[str, int]]:
    """Read each file in a process of its own. Returns the line that it prints, and its peak memory in MiB."""
    command = [sys.executable, "-c", READ, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "\nTraceback" in done.stderr) == (0, False), done.stderr[-1000:]
    lines = done.stdout.splitlines()
    assert len(lines) == 3 * len(paths), lines
    assert set(lines[2::3]) == {"status 0"}, lines
    return [(said, int(peak.split()[1])) for said, peak in zip(lines[::3], lines[1::3], strict=True)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    paths = []
    for i, hostile in enumerate(HOSTILE.values()):
        paths.append(tmp_path_factory.mktemp(str(i)) / "scaler.pkl")
        paths[-1].write_bytes(PROTO + hostile + b".")
    return dict(zip(HOSTILE, read(paths), strict=True))


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_pickle_is_refused_in_one_line(case: str, results: dict[str, tuple[str, int]]) -> None:
    said, peak = results[case]
    assert said.startswith("refused scaler.pkl: ")
    assert peak < 1000


@pytest.mark.parametrize(
    "pack",
    [zlib.compress, gzip.compress, bz2.compress, partial(lzma.compress, preset=0)],
    ids=["zlib", "gzip", "bz2", "lzma"],
)
def test_file_that_decompresses_to_much_more_is_refused(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(pack(bytes(400 << 20)))
    ((said, peak),) = read([path])
    assert said.startswith("refused scaler.pkl: holds more than 16 MiB")
    assert peak < 500


def test_the_scaler_inside_the_hostile_pickles_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "scaler.pkl"
    path.write_bytes(PROTO + scaler() + b".")
    assert read([path])[0][0] == "accepted scaler.pkl"
