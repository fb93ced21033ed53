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


def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    read = manifest.decode(msgspec.json.encode(document))
    assert manifest.decode(manifest.encode(read)) == read
    assert manifest.encode(read) == manifest.encode(manifest.decode(manifest.encode(read)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format_version=2), "format_version: 2 is not supported, 1 is"),
        (lambda d: d.pop("format_version"), "format_version: None"),
        (lambda d: d.update(threshold=1.5), "threshold: 1.5 is not within 0 to 1"),
        (lambda d: d.update(threshold="0.5"), r"Expected `float`, got `str` \(at threshold\)"),
        (lambda d: d.update(confidence_weights=[0.5, 0.6]), r"confidence_weights: \[0.5, 0.6\] sum to 1.1"),
        (lambda d: d.update(confidence_weights=[-0.5, 1.5]), "confidence_weights: .* not both 0 or more"),
        (lambda d: d.update(version="../up"), r"\(at version\)"),
        (lambda d: d["stage1"].update(features=[]), "stage1.features: no feature"),
        (lambda d: d["stage1"].update(features=["close", "vwap_5"]), "stage1.features: unknown feature 'vwap_5'"),
        (lambda d: d["stage2"].update(features=["close", "close"]), "stage2.features: 'close' is named 2 times"),
        (lambda d: d["stage1"].update(opset=99), "stage1.opset: 99 is not supported, 17 is"),
        (lambda d: d["stage1"].update(sequence_length=0), r"\(at stage1.sequence_length\)"),
        (lambda d: d["stage1"].update(sequence_length=1999), "need 2003 candles, a request holds at most 2000"),
        (lambda d: d["stage1"]["network"].update(file="../x.onnx"), r"\(at stage1.network.file\)"),
        (lambda d: d["stage1"]["network"].update(sha256="abc"), r"\(at stage1.network.sha256\)"),
        (lambda d: d["metadata"].update(n=2**64), "holds what no answer could repeat: Integer exceeds 64-bit range"),
        (lambda d: d["stage2"].pop("positive"), "missing required field `positive`"),
        (lambda d: d["stage2"].update(positive="up"), "Invalid enum value 'up'"),
    ],
)
def test_what_must_not_be_served_is_refused_by_field(document: dict[str, Any], change: Change, message: str) -> None:
    change(document)
    with pytest.raises(ManifestError, match=message):
        manifest.decode(msgspec.json.encode(document))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"format_version":' + b"[" * 10**5])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError):
        manifest.decode(data)


def test_candles_needed_are_those_of_the_stage_that_needs_most(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path, features=["close"], stage2_features=["adx_14"], length=20)
    found = manifest.decode((folder / manifest.FILE_NAME).read_bytes())
    assert found.required_candles == 46
    assert found.recommended_candles == 46


def test_one_window_serves_two_stages_only_with_the_same_features_and_scaler(tmp_path: Path) -> None:
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
