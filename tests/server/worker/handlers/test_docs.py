"""The page at /docs: what it loads, what its policy allows, and how its files are cached."""

from __future__ import annotations

import dataclasses
import gzip
import re
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser

import pytest
from aiohttp import web

from server.api.page import files
from server.api.page.files import PAGE, page_files
from server.settings import Settings
from tests.application import Build
from tests.server.client import Client

URL = re.compile(r"url\(\s*[\"']?([^\"')]*)|@import")


class Page(HTMLParser):
    """What a page loads, and what a strict policy forbids in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.forbidden: list[str] = []
        self.form: dict[str, str | None] = {}
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [str(given[name]) for name in ("src", "href") if name in given]
        self.forbidden += [name for name in given if name.startswith("on") or name == "style"]
        self.forbidden += [tag] * (tag in {"style", "base", "iframe", "object"})
        self._in_script = tag == "script"
        if tag == "form":
            self.form = given

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.forbidden.append("inline script")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._in_script = False


async def test_the_page_loads_only_files_of_this_server(client: Client) -> None:
    answer = await client.get("/docs")
    assert (answer.status, answer.content_type) == (200, "text/html")
    page = Page(await answer.text())
    assert page.forbidden == []
    assert len(page.loads) == 5
    for each in page.loads:
        assert not each.startswith(("/", "http")), "a relative place works behind a proxy with a path of its own"
        file = await client.get(f"/{each}")
        assert file.status == 200, each
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        if file.content_type == "text/css":
            assert {found[1][:5] for found in URL.finditer(await file.text())} <= {"data:"}, each


async def test_its_policy_allows_no_other_host_and_nothing_inline(client: Client) -> None:
    policy = dict(
        each.split(" ", 1) for each in (await client.get("/docs")).headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert policy["img-src"] == "'self' data:"
    assert "unsafe" not in str(policy)


@pytest.mark.parametrize("path", ["/docs", "/docs/swagger-ui-bundle.js", "/docs/favicon-32x32.png"])
async def test_a_file_is_compressed_and_kept_until_it_changes(client: Client, path: str) -> None:
    packed = await client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    refused = await client.get(path, headers={"Accept-Encoding": "gzip;q=0.0, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert not {"Content-Encoding"} & {*plain.headers, *refused.headers}
    assert await packed.read() == await plain.read() == await refused.read()  # the client decompresses
    assert packed.headers["ETag"] == plain.headers["ETag"]
    assert packed.headers["Cache-Control"] == plain.headers["Cache-Control"] == "no-cache"
    assert packed.headers["Vary"] == "Accept-Encoding"
    for known in (packed.headers["ETag"], f'"other", {packed.headers["ETag"]}', "*"):
        again = await client.get(path, headers={"If-None-Match": known})
        assert (again.status, await again.read()) == (304, b"")
        assert again.headers["ETag"] == packed.headers["ETag"]
    assert (await client.get(path, headers={"If-None-Match": '"other"'})).status == 200


async def test_the_head_of_the_page(client: Client) -> None:
    answer = await client.head("/docs")
    assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize("name", ["nothing.js", PAGE, files.GUARDED_PAGE, "..%2ffiles.py", "swagger-ui-bundle.js.map"])
async def test_other_files_are_not_found(client: Client, name: str) -> None:
    answer = await client.get(f"/docs/{name}")
    assert (answer.status, (await answer.json())["code"]) == (404, "NOT_FOUND")


async def test_with_tokens_the_page_asks_for_one_and_needs_none(
    settings: Settings, build: Build, aiohttp_client: Callable[[web.Application], Awaitable[Client]]
) -> None:
    guarded = await aiohttp_client(await build(dataclasses.replace(settings, api_token="first")))  # noqa: S106
    answer = await guarded.get("/docs")
    assert answer.status == 200
    assert "hidden" not in Page(await answer.text()).form
    assert (await guarded.get("/docs/page.js")).status == 200
    assert (await guarded.get("/openapi.json")).status == 401


async def test_without_tokens_it_asks_for_none(client: Client) -> None:
    assert "hidden" in Page(await (await client.get("/docs")).text()).form


def test_without_the_package_only_our_own_files_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PACKAGE", "no_such_package")
    found = page_files.__wrapped__()
    assert set(found) == {PAGE, files.GUARDED_PAGE, "page.css", "page.js"}
    assert b"flask-swagger-ui" in gzip.decompress(found["page.js"].packed)
