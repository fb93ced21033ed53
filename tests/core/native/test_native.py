"""The extension is built, is used only if it fits its sources, and its functions refuse what they cannot read."""

from __future__ import annotations

import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from core import native
from core.native import build
from tests import market
from tests.market import ROOT
from tests.native_extension import built


def test_it_knows_its_sources(tmp_path: Path) -> None:
    assert build.source_digest() == built().SOURCE
    (tmp_path / "other.c").write_text("int other;\n")
    assert build.source_digest(tmp_path) != build.source_digest()


def test_an_extension_of_other_sources_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    built()  # without a compiler, this test is skipped
    monkeypatch.setattr(native, "FOLDER", tmp_path)
    assert native.found() is None
    build.build(tmp_path)
    monkeypatch.setattr(native, "source_digest", lambda: "of other sources")
    assert native.found() is not None  # without sources beside it
    (tmp_path / "other.c").touch()
    assert native.found() is None
    monkeypatch.setattr(native, "source_digest", build.source_digest)
    assert native.found() is not None
    # In another place, because a file that is loaded must not be written to.
    monkeypatch.setattr(native, "FOLDER", tmp_path / "other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / native.FILE).write_bytes(b"no library")
    assert native.found() is None
    assert [record.getMessage().split()[0] for record in caplog.records] == [
        "extension_outdated",
        "extension_unusable",
    ]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_an_extension_whose_end_is_missing_is_not_loaded(tmp_path: Path, share: float) -> None:
    built()
    file = build.build(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    # In a process of its own, because loading such a file would end it by SIGBUS.
    code = f"from pathlib import Path; from core.native import load; load(Path({str(file)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    assert "ImportError: the end of the file is missing" in done.stderr


def test_a_build_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(build.BuildError, match="no C compiler: no-such-compiler"):
        build.build(tmp_path)
    monkeypatch.setenv("CC", f"{sys.executable} -c 'raise SystemExit(3)'")
    with pytest.raises(build.BuildError, match="failed"):
        build.build(tmp_path)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(build.BuildError, match=r"Python\.h"):
        build.build(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_build_runs_without_the_package(tmp_path: Path) -> None:
    built()
    command = [sys.executable, "-I", str(ROOT / "core" / "native" / "build.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(tmp_path / native.FILE), "")


def rows(count: int) -> bytes:
    return np.ascontiguousarray(market.candles(0, count).values.T).tobytes()


def test_bars_are_turned_and_checked() -> None:
    values = np.frombuffer(built().bars(rows(30)) or b"").reshape(5, 30)
    np.testing.assert_array_equal(values, market.candles(0, 30).values)
    assert built().bars(memoryview(b"x" + rows(30))[1:]) is not None  # at any place in memory


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 0.0, 1e13, 1e-13])
@pytest.mark.parametrize("field", range(4))
def test_a_bad_price_is_left_to_the_pure_way(field: int, bad: float) -> None:
    data = bytearray(rows(30))
    struct.pack_into("d", data, 8 * (5 * 17 + field), bad)
    assert built().bars(bytes(data)) is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 1e19])
def test_a_bad_volume_is_left_to_the_pure_way(bad: float) -> None:
    data = bytearray(rows(30))
    struct.pack_into("d", data, 8 * (5 * 17 + 4), bad)
    assert built().bars(bytes(data)) is None


@pytest.mark.parametrize("data", [b"", b"\0" * 39, b"\0" * 41, struct.pack("5d", 1, 1, 1, 1, 1) * 2001])
def test_what_is_no_series_is_left_to_the_pure_way(data: bytes) -> None:
    assert built().bars(data) is None


def step(column: int = 0, operation: int = 0, bars: int = 0) -> bytes:
    return struct.pack("3i", column, operation, bars)


@pytest.mark.parametrize(
    ("program", "least", "values", "out"),
    [
        (step(1), 20, np.ones((5, 30)), np.empty((1, 20, 1))),  # no such column
        (step(-1), 20, np.ones((5, 30)), np.empty((1, 20, 1))),
        (step(0, 99), 20, np.ones((5, 30)), np.empty((1, 20, 1))),  # no such operation
        (step(0, 3, 12), 20, np.ones((5, 30)), np.empty((1, 20, 1))),  # a mean of more bars than there are
        (step(0, 3, 0), 20, np.ones((5, 30)), np.empty((1, 20, 1))),
        (step(0, 3, 2**31 - 1), 20, np.ones((5, 30)), np.empty((1, 20, 1))),
        (step(), 20, np.ones((5, 19)), np.empty((1, 20, 1))),  # too few bars
        (step(), 20, np.ones((5, 2001)), np.empty((1, 20, 1))),
        (step(), 20, np.ones((4, 30)), np.empty((1, 20, 1))),
        (step(), 20, np.ones(150), np.empty((1, 20, 1))),
        (step(), 20, np.ones((5, 30), np.float32), np.empty((1, 20, 1))),
        (step(), 20, np.ones((5, 30)), np.empty((1, 20, 1), np.int64)),
        (step(), 20, np.ones((5, 30)), np.empty((1, 19, 1))),
        (step(), 20, np.ones((5, 30)), np.empty((2, 20, 1))),
        (step(), 19, np.ones((5, 30)), np.empty((1, 20, 1))),
        (step(), 2001, np.ones((5, 30)), np.empty((1, 20, 1))),
    ],
)
def test_arrays_that_do_not_fit_are_refused(program: bytes, least: int, values: object, out: object) -> None:
    with pytest.raises(ValueError, match=r"is no float64 array|program is wrong"):
        built().features(program, 20, least, [values], out)  # type: ignore[list-item, arg-type]
