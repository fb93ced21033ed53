"""The JavaScript on the pages for Node runs as it stands, against the application on the committed bundles."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from tests.clients.places import CLIENT, NODE
from tests.market import ROOT

HERE = Path(__file__).parent
BACKEND = "docs/backend.md"
README = "clients/node/README.md"
USUAL_URL = "http://localhost:8000"
HOLD = 0.9149648547172546  # the confidence that docs/predict.md shows for the same candles

# What is printed after a block, and what that must be.
AFTER: dict[tuple[str, int], tuple[str, Any]] = {
    (BACKEND, 0): ("", [200, {"signal": "hold", "confidence": HOLD}]),  # asked once
    (BACKEND, 1): ("[prediction.prediction, prediction.confidence]", ["hold", HOLD]),
    (BACKEND, 2): (
        "[(await predict(rows)).confidence, await predict(rows.slice(0, 20), 7), codes]",
        [HOLD, None, ["INSUFFICIENT_DATA"]],
    ),
    (BACKEND, 3): ("[dropped.length, answer.confidence]", [0, HOLD]),
    (BACKEND, 4): (
        "[results[0].status, answer.model_version, (await reversal.experiments.show(experiment_id)).status, codes]",
        ["recorded", "v3.1", "stopped", []],
    ),
    ("docs/errors.md", 0): ("codes", ["INSUFFICIENT_DATA"]),
    (README, 0): ("[signal, confidence]", ["hold", HOLD]),
}


def blocks(page: str) -> list[str]:
    """The blocks of JavaScript of a page, in order."""
    return re.findall(r"^```js\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def test_every_block_of_a_page_for_node_is_run() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", CLIENT / "README.md"]
    names = [str(page.relative_to(ROOT)) for page in pages]
    assert {(name, i) for name in names for i in range(len(blocks(name)))} == set(AFTER)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder of a backend: the client, express and axios, and what the pages take from their reader."""
    modules = tmp_path / "node_modules"
    (modules / "@reversal").mkdir(parents=True)
    (modules / "@reversal" / "client").symlink_to(CLIENT)
    for name in ("express", "axios"):
        (modules / name).symlink_to(CLIENT / "node_modules" / name)
    (tmp_path / "db.mjs").write_text((HERE / "node_names.mjs").read_text())
    return tmp_path


@pytest.mark.parametrize(("page", "number"), AFTER)
async def test_a_block_runs_as_it_stands(
    page: str,
    number: int,
    app: Path,
    committed: web.Application,
    aiohttp_client: Callable[[web.Application], Awaitable[TestClient[web.Request, web.Application]]],
) -> None:
    url = str((await aiohttp_client(committed)).make_url("")).rstrip("/")
    shown, expected = AFTER[page, number]
    block = blocks(page)[number].replace(USUAL_URL, url)
    last = f"console.log(JSON.stringify({shown}));\n" if shown else ""
    (app / "app.mjs").write_text(f'import "./db.mjs";\n{block}{last}')
    environ = os.environ | {"ML_API_URL": url, "PORT": "0", "EXAMPLE": str(ROOT / "docs" / "examples" / "predict.json")}
    process = await asyncio.create_subprocess_exec(
        NODE, "app.mjs", cwd=app, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert json.loads(out.splitlines()[-1]) == expected, err.decode()
