"""The wheel and the sdist are complete, and the installed server runs outside the source tree."""

from __future__ import annotations

import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from core.native import FILE, load, source_digest
from core.version import VERSION
from tests.market import DEFAULT, ROOT
from tests.native_extension import built as built_extension
from tests.processes import get, post
from tests.reversal.installed import ENVIRON, Built, reversal, serving

pytestmark = pytest.mark.serial  # installs an environment and starts servers

INSTALLED = ("convert", "core", "lab", "migration", "models/onnx", "reversal", "server", "training")
EXAMPLE = ROOT / "docs" / "examples" / "predict.json"
# Only the lab reads them, and only from a checkout or the sdist.
HISTORIES = r"lab/data/[A-Z]{6}_1h_2012_2020\.csv\.gz"


def files_of_the_tree() -> set[str]:
    paths = [path for folder in INSTALLED for path in (ROOT / folder).rglob("*") if path.is_file()]
    return {path.relative_to(ROOT).as_posix() for path in paths if path.suffix not in (".pyc", ".so")}


def test_the_wheel_has_every_file_of_every_package_and_no_others(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if not name.startswith(f"reversal-{VERSION}.dist-info/")}
    assert names == {name for name in files_of_the_tree() if not re.fullmatch(HISTORIES, name)}


def test_the_sdist_has_every_file_of_every_package(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = {name.removeprefix(f"reversal-{VERSION}/") for name in sdist.getnames()}
    assert {name for name in names if name.startswith(tuple(f"{each}/" for each in INSTALLED))} == files_of_the_tree()
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= names


def test_a_wheel_that_asks_for_the_extension_has_it(tmp_path: Path) -> None:
    built_extension()  # without a compiler, this test is skipped
    command = [find_uv_bin(), "build", "--wheel", "--quiet", "--out-dir", str(tmp_path), str(ROOT)]
    ended = subprocess.run(command, env=ENVIRON | {"REVERSAL_NATIVE": "1"}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith(f"reversal-{VERSION}-cp311-abi3-")
    with zipfile.ZipFile(wheel) as files:
        file = files.extract(f"core/native/{FILE}", tmp_path)
    assert source_digest() == load(Path(file)).SOURCE


def test_the_installed_server_serves_the_reference_detectors_in_an_empty_folder(commands: Path, tmp_path: Path) -> None:
    with serving(commands, tmp_path) as server:
        status, answer = post(f"{server.url}/reversal/predict", EXAMPLE.read_bytes())
        assert (status, answer["data"]["signal"], answer["data"]["model_version"]) == (200, "hold", DEFAULT)
        assert get(f"{server.url}/health")[1]["version"] == VERSION
        first, second, *_ = server.stop().splitlines()
        assert server.process.returncode == 0
    assert (
        f"INFO server: server_starting version={VERSION} process={server.process.pid} models={commands.parent}/lib"
        in first
    )
    assert "models_not_chosen" in second
    assert "not for trading" in second
    assert (tmp_path / "data" / "state.db").exists()


def test_the_command_prints_its_version(commands: Path, tmp_path: Path) -> None:
    ended = reversal(commands, tmp_path, "--version")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"reversal {VERSION}\n", "")


def test_its_help_lists_the_commands(commands: Path, tmp_path: Path) -> None:
    ended = reversal(commands, tmp_path, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {"convert", "doctor", "predict", "serve"} <= set(ended.stdout.split())


def test_convert_without_the_extra_names_what_to_install(commands: Path, tmp_path: Path) -> None:
    ended = reversal(commands, tmp_path, "convert")
    assert (ended.returncode, ended.stdout) == (2, "")
    named = ("h5py", "keras", "lightgbm", "onnx", "rich", "skl2onnx", "sklearn", "tf_keras", "tensorflow", "tf2onnx")
    assert ended.stderr.startswith(f"reversal convert: not installed: {', '.join(named)}. ")
    assert "`pip install 'reversal[convert]'`" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
