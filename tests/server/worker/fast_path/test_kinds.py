"""The private attributes of aiohttp that the server uses are listed, and the installed aiohttp has them."""

from __future__ import annotations

import ast
import logging
import re

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from server.http.connections.plain import PlainConnection
from server.worker.fast_path import kinds
from server.worker.fast_path.connection import PRIVATE, FastConnection
from server.worker.fast_path.kinds import kind_of_connection, missing
from tests.market import ROOT

# The modules whose classes derive from aiohttp's, and the private attributes of aiohttp that each is allowed to use.
_CONNECTIONS = ("connection", "parser", "plain", "runner")
MODULES: dict[str, set[str]] = {f"server/http/connections/{name}.py": set() for name in _CONNECTIONS}
MODULES["server/worker/fast_path/connection.py"] = set(PRIVATE)
PRIVATE_NAME = re.compile("_[a-z]")


def private_names(file: str) -> set[str]:
    """The private attributes and methods that a module uses, including its own."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return {name for name in names if PRIVATE_NAME.match(name)}


def defined(file: str) -> set[str]:
    """The attributes and methods that a module sets or defines."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


@pytest.fixture
async def of_aiohttp() -> set[str]:
    """The names in the classes of aiohttp from which the server's classes derive."""

    async def nothing(_: web.BaseRequest) -> web.Response:
        raise NotImplementedError

    return {*dir(RequestHandler), *dir(web.AppRunner), *dir(web.Server(nothing))}


@pytest.mark.parametrize(("module", "allowed"), MODULES.items())
def test_only_the_listed_private_attributes_of_aiohttp_are_used(
    of_aiohttp: set[str], module: str, allowed: set[str]
) -> None:
    assert private_names(module) & of_aiohttp == allowed
    own = set.union(*map(defined, MODULES))
    assert private_names(module) - own == set(), "private attributes of something else"


def test_no_other_module_with_aiohttp_uses_private_attributes() -> None:
    for path in (ROOT / "server").rglob("*.py"):
        text = path.read_text()
        assert "aiohttp" not in text or "SLF001" not in text, path


def test_few_private_attributes_are_needed_and_the_installed_aiohttp_has_them() -> None:
    assert len(PRIVATE) < 13
    assert missing() == []


@pytest.mark.parametrize(
    ("name", "value", "absent"),
    [
        ("PRIVATE", {"_gone": "for a test"}, "RequestHandler._gone"),
        ("PARSER", ("feed_data", "gone"), "HttpRequestParser.gone"),
    ],
)
def test_without_an_attribute_the_fast_path_is_off_and_one_warning_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: object, absent: str
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(kinds, name, value)
    assert kind_of_connection(fast_path=True) is PlainConnection
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"fast_path_disabled missing={absent} " in record.getMessage()


def test_an_attribute_of_the_server_that_aiohttp_uses_for_something_else_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FastConnection, "__slots__", ("_loop",))
    assert missing() == ["RequestHandler without _loop"]


def test_without_the_setting_there_is_no_fast_path_and_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert kind_of_connection(fast_path=False) is PlainConnection
    assert kind_of_connection(fast_path=True) is FastConnection
    assert caplog.records == []
