"""versions.toml: its contents, and the place of every mistake in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from convert.errors import Refused
from convert.sources import versions

FULL = """
order = ["v1"]
[versions.v1]
name = "One"
threshold = 0.5
[versions.v1.stage1]
model = "m.h5"
features = "f.json"
scaler = "s.pkl"
metadata = "meta.json"
[versions.v1.stage2]
model = "m.h5"
features = "f.json"
positive = "short"
"""

FILES = {"features": "f.json", "metadata": "meta.json"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("m.h5", "s.pkl"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "f.json").write_text('{"features": ["close", "sma_20"], "method": "rfe"}')
    (tmp_path / "meta.json").write_text('{"metrics": {"auc": 0.5}}')
    return tmp_path


def read(folder: Path, text: str) -> versions.Versions:
    (folder / "versions.toml").write_text(text)
    found = versions.read(folder)
    for name, version in found.versions.items():
        versions.read_stages(folder, name, version)
    return found


def source(folder: Path) -> versions.StageSource:
    """Stage 1 of FULL."""
    return versions.read_stages(folder, "v1", read(folder, FULL).versions["v1"])["stage1"]


def test_full_file_is_read(folder: Path) -> None:
    found = read(folder, FULL)
    assert found.order == ("v1",)
    version = found.versions["v1"]
    assert (version.name, version.description, version.threshold) == ("One", "", 0.5)
    assert version.confidence_weights == (0.5, 0.5)
    assert list(version.stages) == ["stage1", "stage2"]
    assert version.stage2 is not None
    assert version.stage2.positive == "short"
    assert version.stage1.by_role == {"model": "m.h5", "scaler": "s.pkl", "features": "f.json", "metadata": "meta.json"}
    stages = versions.read_stages(folder, "v1", version)
    assert stages["stage1"].files == version.stage1
    assert stages["stage1"].features == stages["stage2"].features == ("close", "sma_20")
    assert stages["stage1"].metadata == {"metrics": {"auc": 0.5}}
    assert stages["stage2"].metadata == {}
    hashes = {role: sha256((folder / file).read_bytes()).hexdigest() for role, file in FILES.items()}
    assert stages["stage1"].hashes == hashes


def test_features_can_be_a_bare_list(folder: Path) -> None:
    (folder / "f.json").write_text('["macd", "close"]')
    assert source(folder).features == ("macd", "close")


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ('positive = "short"', "short"),
        ('positive = "long"', "long"),
        ('classes = ["long", "short"]', "short"),
        ('classes = ["short", "long"]', "long"),
        ('classes = ["short", "long"]\npositive = "short"', "short"),
    ],
)
def test_the_direction_that_stage_2_gives(folder: Path, lines: str, wanted: str) -> None:
    version = read(folder, FULL.replace('positive = "short"', lines)).versions["v1"]
    assert (version.stages["stage1"].wanted, version.stages["stage2"].wanted) == ("reversal", wanted)


def test_classes_and_layout_of_a_stage(folder: Path) -> None:
    whole = FULL[: FULL.index("[versions.v1.stage2]")]
    assert read(folder, whole).versions["v1"].stage1.layout == "steps_first"
    more = 'classes = ["short", "hold", "long"]\nlayout = "features_first"\n'
    stage = read(folder, whole + more).versions["v1"].stage1
    assert (stage.classes, stage.layout) == (("short", "hold", "long"), "features_first")
    two = whole + 'classes = ["reversal", "hold"]\n'
    assert read(folder, two).versions["v1"].stage1.classes == ("reversal", "hold")


def test_version_without_second_stage(folder: Path) -> None:
    found = read(folder, FULL[: FULL.index("[versions.v1.stage2]")])
    assert found.versions["v1"].stage2 is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("threshold = 0.5", "threshold = 1.5", r'versions."v1": threshold: 1.5 is not within 0 to 1'),
        ("threshold = 0.5", "threshold = nan", r'versions."v1": threshold: nan'),
        ("threshold = 0.5", "", r'versions."v1": Object missing required field `threshold`'),
        ("threshold = 0.5", 'threshold = "0.5"', r'versions."v1": threshold: Expected `float`, got `str`'),
        ("threshold = 0.5", "treshold = 0.5", r'versions."v1": Object contains unknown field `treshold`'),
        ("threshold = 0.5", "threshold = 0.5\nconfidence_weights = [0.7, 0.7]", "confidence_weights: .* sum to 1.4"),
        ("threshold = 0.5", "threshold = 0.5\nconfidence_weights = [1.5, -0.5]", "not both 0 or more"),
        ("threshold = 0.5", "threshold = 0.5\nconfidence_weights = [1.0]", "confidence_weights: .* length 2"),
        ('positive = "short"', "", r'versions."v1": stage2.positive: expected "long" or "short"'),
        ('positive = "short"', 'positive = "up"', r'stage2.positive: expected "long" or "short"'),
        ('metadata = "meta.json"', 'positive = "short"', r"stage1: Object contains unknown field `positive`"),
        ('metadata = "meta.json"', 'metdata = "meta.json"', r"stage1: Object contains unknown field `metdata`"),
        ('metadata = "meta.json"', "sequence_length = 0", "stage1.sequence_length: Expected `int` >= 1"),
        ('metadata = "meta.json"', 'layout = "batch_first"', r"stage1.layout: Invalid enum value 'batch_first'"),
        ('metadata = "meta.json"', 'classes = ["long", "short"]', r'v1".stage1.classes: .*"hold", "reversal"'),
        ('metadata = "meta.json"', 'classes = ["hold", "hold"]', r'v1".stage1.classes: .*"hold", "reversal"'),
        ('metadata = "meta.json"', "classes = []", r'v1".stage1.classes: .*"hold", "reversal"'),
        ('metadata = "meta.json"', 'classes = ["short", "hold", "long"]', r'v1".stage1.classes: .*remove stage2'),
        ('positive = "short"', 'classes = ["hold", "reversal"]', r'v1".stage2.classes: expected \["long", "short"\]'),
        (
            'positive = "short"',
            'classes = ["short", "hold", "long"]',
            r'v1".stage2.classes: expected \["long", "short"\]',
        ),
        ('model = "m.h5"', 'model = "../m.h5"', r'versions."v1": stage1.model'),
        (
            'model = "m.h5"',
            'model = "/etc/passwd"',
            r'versions."v1": stage1.model: .* folder',
        ),
        ('model = "m.h5"', 'model = "n.h5"', r'versions."v1".stage1.model: .*n.h5'),
        ('scaler = "s.pkl"', 'scaler = "t.pkl"', r'versions."v1".stage1.scaler: .*t.pkl'),
        ('order = ["v1"]', 'order = ["v1", "v2"]', "versions.toml: order: .*'v2'.* v1"),
        ('order = ["v1"]', 'order = ["v1", "v1"]', "versions.toml: order: 'v1' .* 2 times"),
        ('order = ["v1"]', "", "versions.toml: Object missing required field `order`"),
        ('order = ["v1"]', 'order = "v1"', "versions.toml: order: Expected `array`"),
        ('order = ["v1"]', 'ordre = ["v1"]', "versions.toml: Object (contains unknown|missing required) field"),
        ('order = ["v1"]', 'order = ["v1"', "versions.toml: Unclosed array"),
        ("versions.v1", 'versions."../v1"', r'versions."../v1": .* 1 to 64'),
        ("versions.v1", "versions.stage1", r'versions."stage1": reserved'),
        ("versions.v1", 'versions."index.json"', r'versions."index.json": reserved'),
        ("versions.v1", 'versions."a.new"', r'versions."a.new": reserved'),
        ("versions.v1", "versions.v1.5", r'versions."v1": a name with a dot in it must be quoted: .versions."v1.5".'),
        (
            FULL[FULL.index("[versions.v1]") :],
            "[versions]",
            "versions.toml: versions: Expected `object` of length >= 1",
        ),
    ],
)
def test_mistake_is_refused_at_its_place(folder: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        read(folder, FULL.replace(old, new, -1 if old.startswith("versions") else 1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('["close", "smma_20"]', "f.json: .*'smma_20'"),
        ('["close", "macd", "close"]', "f.json: 'close' is named 2 times"),
        ("[]", "f.json: no feature is named"),
        ('{"feature": ["close"]}', "f.json: no list of features; expected"),
        ('["close", 3]', r"f.json: \[1\]: expected a name, found 3"),
        ('["close"', "f.json: Input data was truncated"),
    ],
)
def test_bad_feature_list_is_refused(folder: Path, content: str, message: str) -> None:
    (folder / "f.json").write_text(content)
    with pytest.raises(Refused, match=message):
        read(folder, FULL)


@pytest.mark.parametrize("content", ["[]", '{"auc": NaN}', "{"])
def test_bad_metadata_is_refused(folder: Path, content: str) -> None:
    (folder / "meta.json").write_text(content)
    with pytest.raises(Refused, match=r'versions."v1".stage1: meta.json: '):
        read(folder, FULL)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"versions.toml: .*docs/convert.md"):
        versions.read(tmp_path)


def test_mistake_is_found_without_tensorflow(folder: Path) -> None:
    (folder / "versions.toml").write_text(FULL.replace('positive = "short"', ""))
    script = (
        "import sys; from convert.__main__ import main; code = main(sys.argv[1:]);"
        "heavy = {'tensorflow', 'keras', 'tf_keras', 'sklearn', 'onnxruntime'} & sys.modules.keys();"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script, "--source", str(folder), "--output", str(folder / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert found.stderr.startswith('error: versions.toml: versions."v1": stage2.positive: expected')
    assert not (folder / "out").exists()


def test_a_version_takes_candles_unless_it_says_so(folder: Path) -> None:
    assert read(folder, FULL).versions["v1"].inputs == "candles"
    only = FULL.replace('name = "One"', 'name = "One"\ninputs = "features"')
    assert read(folder, only).versions["v1"].inputs == "features"
    with pytest.raises(Refused, match=r"""versions\.toml: versions\."v1": inputs: .*'raw'"""):
        read(folder, only.replace('"features"\n', '"raw"\n'))


@pytest.mark.parametrize("inputs", ["candles", "features"])
def test_names_that_the_server_does_not_know_need_a_version_that_takes_features_only(folder: Path, inputs: str) -> None:
    (folder / "f.json").write_text('["Close", "sma_20", "my secret"]')
    text = FULL.replace('name = "One"', f'name = "One"\ninputs = "{inputs}"')
    if inputs == "features":
        version = read(folder, text).versions["v1"]
        assert versions.read_stages(folder, "v1", version)["stage1"].features == ("Close", "sma_20", "my secret")
        return
    with pytest.raises(Refused, match=r"stage1: f\.json: .*'Close' \(nearest: close\), 'my secret' from candles"):
        read(folder, text)


@pytest.mark.parametrize(
    ("name", "size"), [("f.json", 1 << 20), ("meta.json", 1 << 20), (versions.FILE_NAME, 64 << 10)]
)
def test_file_that_is_too_large_is_refused_by_its_name(name: str, size: int, folder: Path) -> None:
    (folder / versions.FILE_NAME).write_text(FULL)
    path = folder / name
    path.write_text(path.read_text() + " " * (size - path.stat().st_size))
    version = versions.read(folder).versions["v1"]
    versions.read_stages(folder, "v1", version)
    path.write_text(path.read_text() + " ")
    with pytest.raises(Refused, match=f"{re.escape(name)}: larger than"):
        versions.read_stages(folder, "v1", versions.read(folder).versions["v1"])


def test_json_files_of_all_stages_together_have_a_limit(folder: Path) -> None:
    path = folder / "meta.json"
    path.write_text("{}" + " " * ((1 << 20) - 2))
    version = read(folder, FULL).versions["v1"]
    versions.check_sizes(folder, [version] * 7)
    with pytest.raises(Refused, match=r"versions\.toml: .*9 MiB, but at most 8 MiB"):
        versions.check_sizes(folder, [version] * 9)


@pytest.mark.parametrize("part", ["a", '"a b"', "'a'", "a-1"])
def test_key_of_many_parts_is_refused(part: str, folder: Path) -> None:
    with pytest.raises(Refused, match=r"versions\.toml: a key has more than 32 parts"):
        read(folder, ".".join([part] * 40) + " = 1\n" + FULL)
    read(
        folder,
        FULL.replace(
            'name = "One"', f'name = "One"\ndescription = "{"Version 1.2.3, e. g. of a.b.c. " * 40}{"." * 90}"'
        ),
    )


@pytest.mark.parametrize("value", ["[" * 30_000, "9" * 5_000, "{a=" * 9_000])
def test_value_that_toml_cannot_read_is_refused(value: str, folder: Path) -> None:
    with pytest.raises(Refused, match=r"^versions\.toml: "):
        read(folder, f"x = {value}\n")


def test_number_of_features_has_a_limit(folder: Path) -> None:
    (folder / "f.json").write_text(json.dumps([f"sma_{i}" for i in range(1, 1_002)]))
    with pytest.raises(Refused, match=r"f\.json: 1,001 features"):
        source(folder)
