"""What the page at /dashboard is made of: its types, its own tests, its lock, and the bytes that are served."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from server.dashboard import built
from server.dashboard.files import dashboard_files
from tests import needs
from tests.clients.places import node
from tests.market import ROOT

SOURCES = ROOT / "dashboard"
LIBRARIES = SOURCES / "node_modules"
# The most bytes of all files together, as a browser receives them.
MOST_BYTES = 150_000
ELSEWHERE = re.compile(r"""(?:url\(|@import|src=|import\(?|from)\s*["']?(?:https?:)?//""")


class Loaded(HTMLParser):
    """What a page loads, and what its policy forbids in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: set[str] = set()
        self.forbidden: list[str] = []
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._within = tag
        if tag in {"script", "link", "img"}:
            self.loads |= {str(given[name]) for name in ("src", "href") if name in given}
        self.forbidden += [name for name in given if name.startswith("on") or name == "style"]
        self.forbidden += [tag] * (tag in {"style", "base", "iframe", "object"})

    def handle_data(self, data: str) -> None:
        if self._within == "script" and data.strip():
            self.forbidden.append("inline script")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._within = ""


@pytest.fixture(autouse=True)
def libraries() -> None:
    if not (LIBRARIES / "typescript").exists():
        needs.missing("the libraries of dashboard are not installed: run `make test`, or `npm ci` in dashboard/")


@pytest.fixture
def page() -> dict[str, bytes]:
    """The built files."""
    if not built.is_built():
        needs.missing(f"the page is not built: run `{built.COMMAND}`")
    return {path.name: path.read_bytes() for path in built.FOLDER.iterdir()}


def made_in(folder: Path, sources: Path) -> dict[str, bytes]:
    node("build.mjs", str(folder), cwd=sources)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_its_types_are_right() -> None:
    node("node_modules/typescript/bin/tsc", "--noEmit", "-p", ".", cwd=SOURCES)


def test_its_own_tests_pass() -> None:
    files = sorted(str(path.relative_to(SOURCES)) for path in (SOURCES / "test").glob("*.test.ts"))
    assert files
    shown = node("--test", "--test-reporter=tap", *files, cwd=SOURCES)
    assert int(re.search(r"^# pass (\d+)", shown, re.MULTILINE)[1]) >= len(files)  # type: ignore[index]
    assert "# fail 0" in shown


def test_two_builds_in_two_folders_are_the_same_bytes_and_those_that_are_served(
    page: dict[str, bytes], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "another" / "place" / "dashboard"
    shutil.copytree(SOURCES, elsewhere, ignore=shutil.ignore_patterns("node_modules"))
    (elsewhere / "node_modules").symlink_to(LIBRARIES.resolve())
    assert made_in(tmp_path / "first", SOURCES) == page, "the page was built from other sources: run `make dashboard`"
    assert made_in(tmp_path / "second", elsewhere) == page


def test_it_is_small_over_the_wire(page: dict[str, bytes]) -> None:
    files = dashboard_files()
    assert files.keys() == page.keys()
    sizes = {name: len(file.packed) for name, file in files.items()}
    print(f"{sum(sizes.values()):,} bytes with gzip: {sizes}")  # noqa: T201 - shown with -s
    assert sum(sizes.values()) < MOST_BYTES


def test_it_loads_only_files_of_this_server(page: dict[str, bytes]) -> None:
    found = Loaded(page[built.PAGE].decode())
    assert found.forbidden == []
    assert found.loads == {f"dashboard/{name}" for name in ("main.js", "style.css", "icon.svg")}
    for name, text in page.items():
        assert ELSEWHERE.search(text.decode()) is None, name


def test_it_names_the_authors_of_its_libraries(page: dict[str, bytes]) -> None:
    assert b'href="https://www.tradingview.com/"' in page[built.PAGE]
    assert b'href="dashboard/licenses.txt"' in page[built.PAGE]
    assert b"Permission is hereby granted" in page["licenses.txt"]


def test_the_lock_names_no_registry_and_has_the_digest_of_each_package() -> None:
    packages = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
    libraries = {place: each for place, each in packages.items() if place}
    assert len(libraries) > 5
    assert [place for place, each in libraries.items() if "resolved" in each] == []
    assert [place for place, each in libraries.items() if not each["integrity"].startswith("sha512-")] == []
    assert re.search(r"https?://(?!github|opencollective|tidelift)", json.dumps(libraries)) is None
