"""The wheel and the sdist are complete, and the installed server runs outside the source tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from core.native import FILE, load, source_digest
from core.version import VERSION
from tests.market import DEFAULT, ROOT
from tests.native_extension import built as built_extension
from tests.processes import get, post
from tests.reversal.installed import ENVIRON, Built, reversal, serving, uv

pytestmark = pytest.mark.serial  # installs an environment and starts servers

INSTALLED = ("convert", "core", "lab", "migration", "models/onnx", "reversal", "server", "training")
PAGE = "server/dashboard/built"
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


def test_both_have_the_page_and_the_sdist_its_sources(built: Built) -> None:
    page = {f"{PAGE}/{name}" for name in ("index.html", "main.js", "style.css", "licenses.txt")}
    with zipfile.ZipFile(built.wheel) as wheel:
        assert page <= set(wheel.namelist())
    with tarfile.open(built.sdist) as sdist:
        names = {name.removeprefix(f"reversal-{VERSION}/") for name in sdist.getnames()}
    sources = {path for path in names if path.startswith("dashboard/")}
    assert page <= names
    assert {f"dashboard/{name}" for name in ("build.mjs", "package-lock.json", "src/index.html")} <= sources
    assert not [path for path in sources if "node_modules" in path]


def test_a_tree_without_the_page_gives_a_wheel_without_it(tmp_path: Path) -> None:
    """So `pip install .` needs no Node."""
    tree = tmp_path / "tree"
    for folder in INSTALLED:
        left_out = shutil.ignore_patterns("__pycache__", "built", "*.csv.gz", "*.so")
        shutil.copytree(ROOT / folder, tree / folder, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE", "hatch_build.py"):
        shutil.copyfile(ROOT / name, tree / name)
    uv("build", "--quiet", "--wheel", "--out-dir", str(tmp_path / "dist"), str(tree))
    (path,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = {name for name in wheel.namelist() if not name.startswith(f"reversal-{VERSION}.dist-info/")}
    assert names == {
        name for name in files_of_the_tree() if not re.fullmatch(HISTORIES, name) and not name.startswith(f"{PAGE}/")
    }


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
        with urllib.request.urlopen(f"{server.url}/dashboard") as page:  # noqa: S310 - the test's own server
            assert page.read() == (ROOT / PAGE / "index.html").read_bytes()
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
