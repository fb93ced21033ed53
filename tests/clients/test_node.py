"""The Node client: its own tests against the real server, its types, its package outside the tree."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from core.version import VERSION
from server.api.openapi.document import document
from tests.clients.places import CLIENT, NPM, node

LARGEST_PACKAGE = 40_000  # bytes; it has 21,000


@pytest.mark.parametrize("name", ["candles", "client", "failures"])
def test_its_own_tests_pass(name: str) -> None:
    shown = node("--test", "--test-reporter=tap", f"test/{name}.test.mjs")
    assert int(re.search(r"^# pass (\d+)", shown, re.MULTILINE)[1]) > 5  # type: ignore[index]
    assert "# fail 0" in shown


def test_its_types_are_those_of_the_description(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_bytes(document(tokens=True))
    node("scripts/types.mjs", str(tmp_path / "openapi.json"), str(tmp_path / "api.d.ts"))
    fresh = (tmp_path / "api.d.ts").read_text()
    assert fresh == (CLIENT / "types" / "api.d.ts").read_text(), "run `npm run types` with the server's /openapi.json"


def test_its_types_accept_what_they_should_and_nothing_else() -> None:
    node("node_modules/typescript/bin/tsc", "--noEmit", "-p", "test/tsconfig.json")


def test_the_package_works_outside_the_tree(tmp_path: Path) -> None:
    packed = json.loads(node(NPM, "pack", "--json", "--pack-destination", str(tmp_path)))[0]
    assert (packed["name"], packed["version"]) == ("@reversal/client", VERSION)
    assert packed["size"] < LARGEST_PACKAGE
    assert not [
        file["path"] for file in packed["files"] if file["path"].startswith(("test", "scripts", "node_modules"))
    ]
    app = tmp_path / "app"
    app.mkdir()
    (app / "package.json").write_text('{"name": "app", "private": true}')
    node(NPM, "install", "--offline", "--no-audit", "--no-fund", str(tmp_path / packed["filename"]), cwd=app)
    assert sorted(each.name for each in (app / "node_modules").iterdir() if not each.name.startswith(".")) == [
        "@reversal"
    ]
    (app / "both.mjs").write_text(
        "import * as imported from '@reversal/client';\n"
        "import { createRequire } from 'node:module';\n"
        "import whole, { timeframeOf } from '@reversal/client';\n"
        "const required = createRequire(import.meta.url)('@reversal/client');\n"
        "if (whole !== required || timeframeOf !== required.timeframeOf) throw new Error('the default is another');\n"
        "if (Object.keys(required).some((name) => imported[name] !== required[name])) throw new Error('two copies');\n"
        "console.log(imported.timeframeOf('H1'), Object.keys(required).length);\n"
    )
    assert node("both.mjs", cwd=app).split() == ["1h", "8"]


def test_it_loads_no_module_of_node() -> None:
    """Bundlers make a `require` of one fail in a bundle for `import`."""
    sources = (CLIENT / "src").glob("*.cjs")
    assert {name for each in sources for name in re.findall(r"require\(\"(?!\./)(.*?)\"\)", each.read_text())} == set()


def test_every_name_of_the_entry_is_exported_and_typed() -> None:
    exported = set(json.loads(node("-p", "JSON.stringify(Object.keys(require('./src/index.cjs')))")))
    module = set(
        json.loads(
            node("-e", "import('@reversal/client').then((all) => console.log(JSON.stringify(Object.keys(all))))")
        )
    )
    typed = set(
        re.findall(
            r"^export (?:declare )?(?:class|function|const) (\w+)",
            (CLIENT / "types" / "index.d.ts").read_text(),
            re.MULTILINE,
        )
    )
    assert exported == module - {"default", "module.exports"} == typed
