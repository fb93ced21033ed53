"""The built and the installed wheel, once for all tests of this folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from core.version import VERSION
from tests.market import ROOT
from tests.reversal.installed import ENVIRON, Built, built_in, environment_of


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both files. TEST_WHEEL_FOLDER: where they are already, as `make release-check` has built them."""
    if given := os.environ.get("TEST_WHEEL_FOLDER"):
        return Built(Path(given, f"reversal-{VERSION}-py3-none-any.whl"), Path(given, f"reversal-{VERSION}.tar.gz"))
    return built_in(tmp_path_factory.mktemp("dist"), ROOT)


@pytest.fixture(scope="session")
def commands(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a fresh environment with the wheel and the locked dependencies."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    commands = environment_of(environment, built.wheel, ROOT)
    # pyproject.toml says why the locks leave Flask out. Nothing else may be missing.
    check = [find_uv_bin(), "pip", "check", "--quiet", "--python", str(environment)]
    found = subprocess.run(check, env=ENVIRON, capture_output=True, text=True, check=False).stderr
    assert found.splitlines()[1:] == ["The package `flask-swagger-ui` requires `flask`, but it's not installed"]
    return commands
