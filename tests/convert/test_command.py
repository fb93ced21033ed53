"""The command from end to end: what it publishes, shows and refuses."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import metadata
from io import StringIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from rich.progress import Progress, TaskID
from sklearn.preprocessing import StandardScaler

from convert.__main__ import main
from convert.graph import Keras
from convert.layers import network
from convert.sources import documents, versions
from core.bundles import bundle as reading
from core.inference.detector import Detector
from tests.convert import helpers

Files = dict[str, bytes]


def files(folder: Path) -> Files:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def run(source: Path, output: Path) -> Callable[..., int]:
    return lambda *more: main(["--source", str(source), "--output", str(output), *more])


@pytest.fixture(scope="module")
def published(_sources: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder with both versions, converted once, and the lines that were shown. Not to be changed."""
    folder = tmp_path_factory.mktemp("published") / "output"
    shown = StringIO()
    with redirect_stdout(shown):
        assert main(["--source", str(_sources), "--output", str(folder)]) == 0
    return folder, shown.getvalue().splitlines()


@pytest.mark.parametrize("others", [1, pytest.param(2, marks=pytest.mark.long)])
def test_converting_in_another_process_changes_no_byte(
    published: tuple[Path, list[str]], source: Path, tmp_path: Path, others: int
) -> None:
    found = [files(published[0])]
    for name in ("first", "second")[:others]:
        command = [sys.executable, "-m", "convert", "--source", str(source), "--output", str(tmp_path / name)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr.splitlines() == [
            f"{version} {stage}: {step}"
            for version in ("v3.1", "v3.0")
            for stage in ("stage1", "stage2")
            for step in ("reading", "converting", "proving", "timing")
        ], "progress only, without TensorFlow's log"
        found.append(files(tmp_path / name))
    assert all(each == found[0] for each in found[1:])
    assert len(found[0]) == 1 + 2 + 4 + 3, "index, manifests, networks, and scalers; v3.0's stages share one"


def test_published_bundle_holds_what_the_server_needs(published: tuple[Path, list[str]]) -> None:
    output, lines = published
    assert json.loads((output / "index.json").read_text()) == {"order": ["v3.1", "v3.0"]}
    manifest = reading.read(output / "v3.1").manifest
    assert (manifest.name, manifest.threshold, manifest.confidence_weights) == (
        "Profitable Reversal Detector",
        0.5,
        (0.5, 0.5),
    )
    assert manifest.stage1.features == ("sma_20", "macd", "atr_14", "stoch_k")
    assert manifest.stage1.sequence_length == 5
    assert manifest.stage1.opset == 17
    assert manifest.stage2 is not None
    assert manifest.stage2.positive == "short"
    assert sorted(manifest.stage1.sources) == ["features", "metadata", "model", "scaler"]
    assert sorted(manifest.stage2.sources) == ["features", "model", "scaler"]
    assert manifest.stage1.parity["windows"] > 2000
    assert manifest.stage1.parity["decisions"] > 2000
    assert 0.0 < manifest.stage1.parity["max_difference"] < 1e-6
    assert manifest.stage1.parity["scaler_max_difference"] < 1e-6
    assert manifest.metrics == {"stage1": {"auc": 0.51}}
    assert manifest.metadata == {"stage1": {"seed": 1}}
    assert sorted(manifest.tools) == ["onnx", "onnxruntime", "scikit-learn", "tensorflow", "tf_keras"]
    older = reading.read(output / "v3.0").manifest
    assert older.confidence_weights == (0.25, 0.75)
    assert older.stage2 is not None
    assert older.stage1.takes_same_window(older.stage2)
    assert not manifest.stage1.takes_same_window(manifest.stage2)

    for label, stage in (("stage1", manifest.stage1), ("stage2", manifest.stage2)):
        assert any(line.split()[:3] == ["v3.1", label, f"{stage.parameters:,}"] for line in lines)
    at = lines.index("v3.1 stage1: compared with tf_keras 2.21.0")
    assert lines[at + 1] == "  built by the table of layers"
    assert lines[at + 2] == "  nodes: 1 Gemm, 2 LSTM, 1 Sigmoid, 2 Squeeze, 1 Transpose"
    shown = " ".join(lines)
    assert "curl -X POST http://127.0.0.1:8000/reversal/models/v3.1/load" in shown


def test_one_version_is_converted_and_each_of_its_json_files_is_read_once(
    run: Callable[..., int], source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    contents = documents.contents

    def noted(path: Path, most: int) -> bytes:
        read.append(path.name)
        return contents(path, most)

    with monkeypatch.context() as patched:
        patched.setattr(documents, "contents", noted)
        assert run("--version", "v3.0") == 0
    v30 = versions.read(source).versions["v3.0"]
    named = [file for stage in v30.stages.values() for file in stage.by_role.values() if file.endswith(".json")]
    assert sorted(name for name in read if name in named) == sorted(named)
    assert sorted(path.name for path in output.iterdir()) == ["index.json", "v3.0"]
    assert json.loads((output / "index.json").read_text()) == {"order": ["v3.0"]}
    before = files(output)
    # A missing file of another version does not matter.
    (source / "profitable_reversal_detector_stage1.h5").unlink()
    assert run("--version", "v3.0") == 0
    assert files(output) == before
    assert run() == 1


def sabotaged(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Keras], bool]) -> None:
    """Change one weight of the networks of some models."""
    build = network.build

    def changed(model: Keras, window: tuple[int, int], *around: network.Around) -> onnx.ModelProto:
        graph = build(model, window, *around)
        if wrong(model):
            constant = next(c for c in graph.graph.initializer if c.name.endswith("/R"))
            values = numpy_helper.to_array(constant).copy()
            values.flat[0] += 0.01
            constant.CopyFrom(numpy_helper.from_array(values, constant.name))
        return graph

    monkeypatch.setattr(network, "build", changed)


def test_one_graph_that_differs_prevents_all_publishing(
    *,
    published: tuple[Path, list[str]],
    run: Callable[..., int],
    source: Path,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(published[0], output)
    before = files(output)
    edit(source / "versions.toml", "threshold = 0.5", "threshold = 0.6")
    # Only the last stage fails. All stages before it are proven, but must not be published.
    calls = iter(range(4))
    sabotaged(monkeypatch, lambda _model: next(calls) == 3)
    assert run() == 1
    (message,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message.startswith("error: v3.0 stage2: ")
    assert ", window " in message
    assert " (tf_keras 2.21.0), got " in message
    assert "at most 1e-05 is allowed; the framework itself is " in message
    assert message.endswith("; nothing was published")
    assert files(output) == before


def test_first_conversion_that_fails_leaves_no_folder(
    run: Callable[..., int], output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotaged(monkeypatch, lambda _model: True)
    assert run() == 1
    assert not output.exists()


def test_progress_is_a_bar_on_a_terminal(run: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    update = Progress.update

    def seen(bar: Progress, task: TaskID, *, description: str, advance: float) -> None:
        drawn.append(description)
        update(bar, task, description=description, advance=advance)

    monkeypatch.setattr(Progress, "update", seen)
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich write as to a terminal
    assert run("--version", "v3.0") == 0
    assert drawn[:2] == ["v3.0 stage1: reading", "v3.0 stage1: converting"]
    assert len(drawn) == 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: (s / "feature_scaler.pkl").unlink(), r'versions."v3.1".stage2.scaler: '),
        (
            lambda s: (s / "selected_features.json").write_text('["close", "sma_20"]'),
            "v3.1 stage2: feature_scaler.pkl: fitted on 3 features, the stage has 2",
        ),
        (
            lambda s: edit(
                s / "versions.toml", "direction_classifier_stage2.h5", "profitable_reversal_detector_stage1.h5"
            ),
            "profitable_reversal_detector_stage1.h5: takes windows of 4 features, but selected_features.json names 3",
        ),
        (
            lambda s: edit(s / "versions.toml", 'metadata = "p', 'sequence_length = 20\nmetadata = "p'),
            "v3.1 stage1: profitable_reversal_detector_stage1.h5: sequence_length is 20, but the model's window is 5",
        ),
        (
            lambda s: (s / "feature_scaler.pkl").write_bytes(pickle.dumps(np.linalg.norm)),
            "v3.1 stage2: feature_scaler.pkl: asks for numpy.linalg",
        ),
        (
            lambda s: (s / "direction_classifier_stage2.h5").write_bytes(b"junk"),
            "v3.1 stage2: direction_classifier_stage2.h5: neither an HDF5 file nor a zip archive",
        ),
        (
            lambda s: (s / "profitable_selected_features.json").write_text('["sma_20", "macd", "atr_14", "sma_2000"]'),
            None,
        ),
    ],
)
def test_each_refusal_is_one_line_that_names_the_place(
    *,
    change: Callable[[Path], object],
    message: str | None,
    run: Callable[..., int],
    source: Path,
    output: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(source)
    assert run() == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].endswith("; nothing was published")
    assert all(line.startswith("error: ") for line in (lines if len(lines) == 1 else lines[:-1]))
    assert any((message or "v3.1: the features and window need 2004 candles") in line for line in lines)
    assert not output.exists()


def test_scaler_fitted_on_other_names_is_refused(
    run: Callable[..., int], source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scaler = StandardScaler().fit(np.random.default_rng(0).normal(size=(9, 3)))
    scaler.feature_names_in_ = np.array(["sma_20", "close", "rsi_14"], dtype=object)
    (source / "feature_scaler.pkl").write_bytes(pickle.dumps(scaler))
    assert run("--version", "v3.0") == 1
    assert "v3.0 stage1: feature_scaler.pkl: fitted on the column 'sma_20' at place 1" in capsys.readouterr().err


def test_unknown_version_is_refused(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version", "v4") == 1
    assert "VERSION: versions.toml has no version 'v4', only v3.1, v3.0" in capsys.readouterr().err


def test_wrong_arguments_end_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--sauce", "models/keras"])
    assert ended.value.code == 2
    assert "--sauce" in capsys.readouterr().err


def test_an_output_folder_that_is_not_writable_is_reported(
    run: Callable[..., int], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output.write_text("a file")
    assert run("--version", "v3.0") == 1
    assert f"error: {output}" in capsys.readouterr().err


def test_version_of_38_features_without_second_stage_and_scaler(
    source: Path, run: Callable[..., int], output: Path
) -> None:
    averages = [f"{kind}_{n}" for kind in ("sma", "ema") for n in (5, 10, 20, 50, 100, 200)]
    names = ["open", "high", "low", "close", "volume", "returns", "log_returns", *averages]
    names += ["bb_upper_20", "bb_lower_20", "bb_width_20", "rsi_14", "rsi_28", "macd", "macd_signal", "macd_hist"]
    names += ["atr_14", "stoch_k", "stoch_d", "volume_sma_20", "volume_ratio"]
    names += [*(f"momentum_{n}" for n in (5, 10, 20)), *(f"volatility_{n}" for n in (10, 20, 30))]
    layers = helpers.framework("keras").layers
    model = helpers.framework("keras").Sequential(
        [
            layers.Input((7, 38)),
            layers.BatchNormalization(),
            layers.Bidirectional(layers.GRU(4)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    helpers.save(helpers.randomised(model), source / "wide.keras")
    (source / "wide.json").write_text(json.dumps(names))
    (source / "versions.toml").write_text(
        'order = ["wide"]\n[versions.wide]\nname = "Wide"\nthreshold = 0.5\n'
        '[versions.wide.stage1]\nmodel = "wide.keras"\nfeatures = "wide.json"\n'
    )
    assert run() == 0
    manifest = reading.read(output / "wide").manifest
    assert (manifest.stage1.num_features, manifest.stage1.scaler, manifest.stage2) == (38, None, None)
    assert "keras" in manifest.tools
    assert manifest.required_candles == 7 + 200 - 1


def test_version_that_takes_features_only_may_have_any_names(
    source: Path, run: Callable[..., int], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["Close (USD)", "my secret", "sma_20"]
    (source / "selected_features.json").write_text(json.dumps(names))
    assert run("--version", "v3.0") == 1
    refused = " ".join(capsys.readouterr().err.split())
    assert all(text in refused for text in ("'Close (USD)'", "'my secret'", 'inputs = "features"'))
    (source / "meta.json").write_text(
        json.dumps(
            {
                "label": {"rule": "swing_points"},
                "scaled_ranges": {name: [-2.0, 3.0] for name in names},
                "background_window": [[0.0, 0.5, 1.0]] * 5,
                "seed": 1,
            }
        )
    )
    text = (source / "versions.toml").read_text()
    head, only = text.split('[versions."v3.0"]\n')
    only = only.replace('scaler = "feature_scaler.pkl"', 'metadata = "meta.json"', 1)
    only = only.replace("positive =", 'background = "stored.npy"\npositive =', 1)
    stored = np.random.default_rng(0).normal(size=(4, 5, 3))
    np.save(source / "stored.npy", stored[:, :, :2])
    (source / "versions.toml").write_text(f'{head}[versions."v3.0"]\ninputs = "features"\n{only}')
    assert run("--version", "v3.0") == 1
    assert "stored.npy: its windows have 2 features, but the feature list has 3" in capsys.readouterr().err
    np.save(source / "stored.npy", stored)
    assert run("--version", "v3.0") == 0
    assert "proven on standard normal windows only" in " ".join(capsys.readouterr().out.split())
    manifest = reading.read(output / "v3.0").manifest
    assert (manifest.format_version, manifest.inputs, manifest.required_candles) == (2, "features", None)
    assert manifest.stage1.features == tuple(names)
    assert manifest.label_rule == {"rule": "swing_points"}
    assert manifest.stage1.training_ranges == ((-2.0, 3.0),) * 3
    assert manifest.stage1.limits is not None
    assert manifest.stage1.background == ((0.0, 0.5, 1.0),) * 5
    assert manifest.metadata == {"stage1": {"label": {"rule": "swing_points"}, "seed": 1}}
    assert manifest.stage1.background_windows is None
    assert manifest.stage2 is not None
    assert np.array(manifest.stage2.background) == pytest.approx(stored.mean(axis=0), abs=1e-6)
    assert manifest.stage2.sources["background"].file == "stored.npy"
    assert np.array_equal(Detector(reading.read(output / "v3.0")).runners[1].stored, stored.astype(np.float32))


def test_manifest_that_the_server_would_not_read_is_refused(
    source: Path, run: Callable[..., int], output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (source / "profitable_stage1_metadata.json").write_text(json.dumps({"log": [0] * 150_000}))
    assert run("--version", "v3.1") == 1
    assert "error: v3.1: its manifest has " in capsys.readouterr().err
    assert files(output) == {}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ('{"n": 18446744073709551616}', "n: an integer of more than 64 bits"),
        ('{"n": ' + "[" * 300 + "]" * 300 + "}", "nested too deeply for an answer of the server"),
    ],
)
def test_metadata_that_the_server_cannot_send_are_refused(
    *,
    run: Callable[..., int],
    source: Path,
    output: Path,
    metadata: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--version", "v3.1") == 0
    before = files(output)
    (source / "profitable_stage1_metadata.json").write_text(metadata)
    assert run("--version", "v3.1") == 1
    (said,) = [each for each in capsys.readouterr().err.splitlines() if each.startswith("error: ")]
    assert "profitable_stage1_metadata.json: n" in said
    assert words in said
    assert files(output) == before


def test_version_of_tensorflow_is_found_for_any_of_its_packages(
    run: Callable[..., int], output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(package: str) -> str:
        if package.startswith("tensorflow"):
            raise metadata.PackageNotFoundError(package)
        return f"{package}'s"

    monkeypatch.setattr(metadata, "version", version)
    assert run("--version", "v3.1") == 0
    assert reading.read(output / "v3.1").manifest.tools == {
        "onnx": "onnx's",
        "onnxruntime": "onnxruntime's",
        "scikit-learn": "scikit-learn's",
        "tensorflow": "2.21.0",
        "tf_keras": "2.21.0",
    }


def test_interrupted_work_ends_with_one_line(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(network, "build", interrupt)
    assert run() == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("interrupted; ")


def test_any_error_in_a_stage_is_reported_with_its_place(
    run: Callable[..., int], output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def surprise(*_: object) -> None:
        raise ZeroDivisionError("a [/b]surprise")

    monkeypatch.setattr(network, "build", surprise)
    assert run() == 1
    assert "error: v3.1 stage1: ZeroDivisionError: a [/b]surprise; nothing was published" in capsys.readouterr().err
    assert files(output) == {}


def test_paths_are_not_read_as_markup(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "a[" / "b]"
    assert main(["--source", str(source), "--output", str(output), "--version", "v3.0"]) == 0
    assert "a[/b]" in capsys.readouterr().out


def test_outputs_with_the_same_name_are_refused(
    source: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    keras = helpers.framework("keras")
    window = keras.layers.Input((5, 3))
    head = keras.layers.Dense(1, activation="sigmoid", name="head")
    heads = [head(keras.layers.LSTM(3)(window)) for _ in range(2)]
    helpers.save(keras.Model(window, heads), source / "twins.keras")
    edit(source / "versions.toml", '"reversal_detector_stage1.h5"', '"twins.keras"\noutput = "head"')
    assert run("--version", "v3.0") == 1
    assert "2 outputs named 'head'" in capsys.readouterr().err
