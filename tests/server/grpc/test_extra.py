from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import pytest

from server.grpc import extra
from server.settings_parsing import SettingsError
from tests.market import ROOT


def test_with_the_packages_the_library_is_prepared() -> None:
    environ = {"GRPC_VERBOSITY": "DEBUG"}
    extra.require(environ)
    assert environ == {"GRPC_VERBOSITY": "DEBUG", "GRPC_ENABLE_FORK_SUPPORT": "0"}


@pytest.mark.parametrize("missing", extra.NEEDS)
def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    find = importlib.util.find_spec

    def without(name: str, *of: Any) -> Any:  # noqa: ANN401
        return None if name == missing else find(name, *of)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(SettingsError, match=rf'\({missing}\).*pip install "reversal\[grpc\]"'):
        extra.require({})


def test_a_server_without_the_extra_says_so_and_ends() -> None:
    code = (
        "import sys\nfor name in ('grpc', 'grpc_health', 'grpc_reflection'): sys.modules[name] = None\n"
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *of: None if name.startswith('grpc') else find(name, *of)\n"
        "from server.__main__ import main\nsys.exit(main(['--port', '0', '--grpc-port', '0'], 'server'))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert 'pip install "reversal[grpc]"' in ended.stderr


def test_a_server_without_the_setting_does_not_import_the_library() -> None:
    code = (
        "import server.__main__, server.process.workers, sys\nprint([n for n in sys.modules if n.startswith('grpc')])"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
