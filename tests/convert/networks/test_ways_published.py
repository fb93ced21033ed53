"""The command with networks beyond the table: what it publishes, says and refuses, and that the server takes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from convert.__main__ import main
from convert.graph import Keras
from core.bundles import bundle as reading
from core.inference import trial
from core.inference.stage_runner import StageRunner
from tests.convert import helpers
from tests.convert.networks.with_own_layers import MODULE, with_own_layers

VERSIONS = """\
order = ["v1"]
[versions.v1]
name = "Beyond the table"
threshold = 0.5
[versions.v1.stage1]
model = "model.keras"
features = "features.json"
"""


def run(folder: Path, model: Keras, *more: str) -> int:
    helpers.save(model, folder / "model.keras")
    (folder / "features.json").write_text(json.dumps(["returns", "log_returns", "momentum_5"]))
    (folder / "versions.toml").write_text(VERSIONS)
    return main(["--source", str(folder), "--output", str(folder / "onnx"), *more])


def with_a_loop() -> Keras:
    def build(k: Keras) -> list[Keras]:
        return [k.Reshape((helpers.STEPS, helpers.FEATURES, 1)), k.ConvLSTM1D(2, 2, name="odd"), k.Flatten()]

    return helpers.sequential("keras", build)


def test_a_loop_is_published_said_and_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, with_a_loop()) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "the table of layers does not have ConvLSTM1D 'odd'; 1 Loop" in said
    bundle = reading.read(tmp_path / "onnx" / "v1")
    assert bundle.manifest.tools["tf2onnx"].startswith("1.17")
    assert bundle.manifest.stage1.parity["windows"] > 2000
    assert trial.run(bundle, trial.STARTING) is None
    runner = StageRunner("stage1", bundle.manifest.stage1, bundle)
    runner.check()
    given = helpers.windows(8)
    expected = runner.probabilities(given)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: runner.probabilities(given), range(20)):
            assert np.array_equal(found, expected)
        singles = list(threads.map(lambda i: runner.probabilities(given[i % 8 :][:1])[0], range(20)))
    np.testing.assert_allclose(singles, expected[np.arange(20) % 8], atol=1e-6)


@pytest.mark.parametrize("make", [with_a_loop, with_own_layers])
def test_without_the_fallback_nothing_is_published(
    make: Callable[[], Keras], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, make(), "--no-fallback") == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("error: v1 stage1: model.keras: ")
    names = ["'odd'", "--no-fallback"] if make is with_a_loop else ["Weighted", "Doubled", "--custom-objects"]
    assert all(name in message for name in names)
    assert not (tmp_path / "onnx").exists()


def test_own_layers_are_published_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, with_own_layers(), "--custom-objects", MODULE) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"code of {MODULE} took part: Doubled, mine>Weighted, wave" in said
    assert reading.read(tmp_path / "onnx" / "v1").manifest.tools["custom_objects"] == MODULE


def test_a_module_that_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, with_a_loop(), "--custom-objects", "no_such.module") == 1
    assert "error: --custom-objects no_such.module: cannot be imported" in capsys.readouterr().err
