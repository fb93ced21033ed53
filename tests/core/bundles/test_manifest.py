from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.bundles import manifest
from core.bundles.manifest import ManifestError
from tests import bundles

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    folder = bundles.write(tmp_path)
    found: dict[str, Any] = msgspec.json.decode((folder / manifest.FILE_NAME).read_bytes())
    return found


def test_a_manifest_survives_writing_and_reading(document: dict[str, Any]) -> None:
    read = manifest.decode(msgspec.json.encode(document))
    assert manifest.decode(manifest.encode(read)) == read
    assert manifest.encode(read) == manifest.encode(manifest.decode(manifest.encode(read)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("format_version"), "format_version: None"),
        (lambda d: d.update(inputs="raw"), "^inputs: .*'raw'"),
        (lambda d: d.update(threshold=1.5), r"threshold: 1\.5 "),
        (lambda d: d.update(threshold="0.5"), "^threshold: .*`float`.*`str`"),
        (lambda d: d.update(confidence_weights=[0.5, 0.6]), r"confidence_weights: \[0\.5, 0\.6\] .*1\.1"),
        (lambda d: d.update(confidence_weights=[-0.5, 1.5]), r"confidence_weights: \[-0\.5, 1\.5\] .*\b0 or more"),
        (lambda d: d.update(version="../up"), "^version: "),
        (lambda d: d["stage1"].update(features=[]), r"^stage1\.features: no feature"),
        (lambda d: d["stage1"].update(features=["close", "vwap_5"]), r"^stage1\.features: .*'vwap_5'"),
        (lambda d: d["stage2"].update(features=["close", "close"]), r"^stage2\.features: 'close' .*\b2\b"),
        (lambda d: d["stage1"].update(scaled_features=["close"]), r"^stage1\.scaled_features: "),
        (lambda d: d["stage1"].update(scaled_features=["close", "close"]), r"^stage1\.scaled_features: "),
        (lambda d: d["stage1"].update(opset=99), r"^stage1\.opset: 99 .*\b17\b"),
        (lambda d: d["stage1"].update(sequence_length=0), r"^stage1\.sequence_length: "),
        (lambda d: d["stage1"].update(sequence_length=1999), r"\b2003 candles.*\b2000\b"),
        (lambda d: d["stage1"].update(sequence_length=2001), r"^stage1\.sequence_length: 2001, .*\b2000\b"),
        (lambda d: d["stage1"].update(training_ranges=[[0.0, 1.0]]), r"^stage1\.training_ranges: 1 .*\b2 features"),
        (lambda d: d["stage2"].update(training_ranges=[[0, 1], [1, 0]]), r"^stage2\.training_ranges\[1\]: 1.* 0"),
        (lambda d: d["stage1"].update(training_ranges=[[0, 1], [0]]), r"^stage1\.training_ranges\[1\]: "),
        (lambda d: d["stage1"].update(training_ranges=[[0, 1], [0, 1e39]]), r"^stage1\.training_ranges"),
        (lambda d: d["stage1"].update(background=[[0.0, 0.0]] * 3), r"^stage1\.background: 3 steps.* 4$"),
        (lambda d: d["stage1"].update(background=[[0.0, 0.0]] * 3 + [[0.0]]), r"^stage1\.background\[3\]: 1 .* 2 f"),
        (lambda d: d["stage1"].update(background=[[0.0, 1e39]] * 4), r"^stage1\.background"),
        (lambda d: d["stage1"].update(classes=["hold", "long", "short"]), r"^stage2: .*`classes`"),
        (lambda d: d["stage2"].update(classes=["hold", "long", "short"]), r"^stage2\.classes: "),
        (lambda d: d["stage1"]["network"].update(file="../x.onnx"), r"^stage1\.network\.file: "),
        (lambda d: d["stage1"]["network"].update(sha256="abc"), r"^stage1\.network\.sha256: "),
        (lambda d: d["metadata"].update(n=2**64), "JSON: Integer exceeds 64-bit range"),
        (lambda d: d["stage2"].pop("positive"), "^stage2: .*`positive`"),
        (lambda d: d["stage2"].update(positive="up"), r"^stage2\.positive: .*'up'"),
    ],
)
def test_an_invalid_manifest_is_refused_with_the_field(document: dict[str, Any], change: Change, message: str) -> None:
    change(document)
    with pytest.raises(ManifestError, match=message):
        manifest.decode(msgspec.json.encode(document))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"format_version":' + b"[" * 10**5])
def test_bytes_that_are_not_a_manifest_are_refused(data: bytes) -> None:
    with pytest.raises(ManifestError):
        manifest.decode(data)


def test_the_stage_with_the_longest_look_back_decides_the_number_of_candles(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path, features=["close"], stage2_features=["adx_14"], length=20)
    found = manifest.decode((folder / manifest.FILE_NAME).read_bytes())
    assert found.required_candles == 46
    assert found.recommended_candles == 46


def test_one_window_serves_both_stages_only_if_features_length_and_scaler_are_equal(tmp_path: Path) -> None:
    def takes_same(version: str, **differs: Any) -> bool:  # noqa: ANN401
        folder = bundles.write(tmp_path, version, **differs)
        found = manifest.decode((folder / manifest.FILE_NAME).read_bytes())
        assert found.stage2 is not None
        return found.stage1.takes_same_window(found.stage2)

    assert takes_same("same")
    assert takes_same("no_scaler", scale=None, stage2_scale=None)
    assert not takes_same("features", stage2_features=["sma_5", "close"])
    assert not takes_same("scaler", stage2_scale=(1.0, 1.0))
    assert not takes_same("one_scaler", stage2_scale=None)
    assert not takes_same("length", scale=None, stage2_scale=None, stage2_length=5)


@pytest.mark.parametrize(
    ("classes", "place"),
    [
        (["hold", "long"], "stage1.classes: "),
        (["hold", "long", "long"], "stage1.classes: .*'long', 'long'"),
        (["hold", "long", "up"], r"stage1\.classes\[2\]: .*'up'"),
    ],
)
def test_classes_are_hold_long_and_short(document: dict[str, Any], classes: list[str], place: str) -> None:
    document["stage2"] = None
    document["stage1"]["classes"] = ["short", "hold", "long"]
    found = manifest.decode(msgspec.json.encode(document))
    assert (found.classes, found.positive) == (("short", "hold", "long"), "long")
    document["stage1"]["classes"] = classes
    with pytest.raises(ManifestError, match=place):
        manifest.decode(msgspec.json.encode(document))


def test_features_of_any_printable_name_are_allowed_if_the_version_takes_no_candles(document: dict[str, Any]) -> None:
    document["inputs"] = "features"
    for label in ("stage1", "stage2"):
        document[label].update(features=["Close (USD)", "новости"], sequence_length=2000)
    found = manifest.decode(msgspec.json.encode(document))
    assert (found.required_candles, found.recommended_candles) == (None, None)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no feature"),
        (["vwap", "vwap"], r"'vwap' .*\b2\b"),
        (["vwap", ""], "''"),
        (["vwap", "a\nb"], r"'a\\nb'"),
        (["vwap", "a" * 129], r"\b128\b"),
    ],
)
def test_names_that_no_version_can_have_are_refused(document: dict[str, Any], names: list[str], message: str) -> None:
    document["inputs"] = "features"
    document["stage1"]["features"] = names
    with pytest.raises(ManifestError, match=rf"^stage1\.features: .*{message}"):
        manifest.decode(msgspec.json.encode(document))


def test_many_features_are_checked_in_linear_time(document: dict[str, Any]) -> None:
    document["inputs"] = "features"
    document["stage1"]["features"] = [f"f{i}" for i in range(100_000)]
    assert manifest.decode(msgspec.json.encode(document)).stage1.num_features == 100_000  # quadratic: minutes
