"""The direction of the arrows, held in fresh interpreters."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.market import ROOT

HEAVY = ["tensorflow", "tf_keras", "keras", "onnx", "sklearn", "joblib", "pandas", "scipy", "h5py"]

# Serves one prediction as the process would, with an audit hook that sees every class a pickle asks for.
SERVE_ONE = """
import sys
def audit(event, arguments):
    if event == "pickle.find_class":
        raise SystemExit(f"unpickled {arguments}")
sys.addaudithook(audit)

import asyncio
from pathlib import Path
from aiohttp.test_utils import TestClient, TestServer
import server.__main__
from server.app import make_app
from server.settings import read

async def main():
    async with TestClient(TestServer(make_app(read([], {})))) as client:
        body = Path("docs/examples/predict.json").read_bytes()
        headers = {"Content-Type": "application/json"}
        for path in ("/reversal/predict", "/reversal/compare"):
            response = await client.post(path, data=body, headers=headers)
            assert response.status == 200, await response.text()
        assert (await client.get("/reversal/models")).status == 200

asyncio.run(main())
"""


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after running `code`."""
    code += "\nimport sys\nprint('\\n'.join({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_core_knows_neither_http_nor_what_makes_bundles() -> None:
    names = [path.stem for path in (ROOT / "core").glob("*.py") if path.stem != "__init__"]
    loaded = modules_after("\n".join(f"import core.{name}" for name in names))
    assert not loaded & {*HEAVY, "aiohttp", "server", "convert", "training"}


def test_a_serving_process_loads_nothing_of_training_or_conversion_and_no_pickle() -> None:
    loaded = modules_after(SERVE_ONE)
    assert {"aiohttp", "onnxruntime", "core", "server"} <= loaded
    assert not loaded & {*HEAVY, "convert", "training"}


@pytest.mark.parametrize(
    ("package", "may"),
    [
        ("core", {"core"}),
        ("server", {"server", "core"}),
        ("convert", {"convert", "core"}),
        ("training", {"training", "core"}),
    ],
)
def test_arrows_go_one_way(package: str, may: set[str]) -> None:
    ours = {"core", "server", "convert", "training", "benchmarks", "tests"}
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                names = [node.module or ""]
            else:
                continue
            found = {name.split(".")[0] for name in names} & ours
            assert found <= may, f"{path}, line {node.lineno}: {found - may}"
