"""What our connections touch of aiohttp's own is written down, and is there."""

from __future__ import annotations

import ast
import logging
import re

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from server.http.connection import PlainConnection
from server.worker import fast_path
from server.worker.fast_path import PRIVATE, FastConnection, kind_of_connection, missing
from tests.market import ROOT

# Whose classes derive from aiohttp's, and what each may touch of what aiohttp calls private.
MODULES: dict[str, set[str]] = {"server/http/connection.py": set(), "server/worker/fast_path.py": set(PRIVATE)}
PRIVATE_NAME = re.compile("_[a-z]")


def private_names(file: str) -> set[str]:
    """The private attributes and methods that a module has or touches, its own among them."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return {name for name in names if PRIVATE_NAME.match(name)}


def defined(file: str) -> set[str]:
    """Those that it sets on objects of its own, or defines."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


@pytest.fixture
async def of_aiohttp() -> set[str]:
    """The names that the classes from which ours derive have already."""

    async def nothing(_: web.BaseRequest) -> web.Response:
        raise NotImplementedError

    return {*dir(RequestHandler), *dir(web.AppRunner), *dir(web.Server(nothing))}


@pytest.mark.parametrize(("module", "may"), MODULES.items())
def test_private_attributes_of_aiohttp_are_those_that_the_fast_path_names(
    of_aiohttp: set[str], module: str, may: set[str]
) -> None:
    assert private_names(module) & of_aiohttp == may
    ours = set.union(*map(defined, MODULES))
    assert private_names(module) - ours == set(), "private attributes of something else"


def test_no_other_module_that_knows_aiohttp_touches_what_is_private() -> None:
    for path in (ROOT / "server").rglob("*.py"):
        text = path.read_text()
        assert "aiohttp" not in text or "SLF001" not in text, path


def test_fewer_than_before_are_needed_and_the_installed_aiohttp_has_them() -> None:
    assert len(PRIVATE) < 13
    assert missing() == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PRIVATE", {"_gone": "for a test"}, "no RequestHandler._gone:"),
        ("_PARSER", ("feed_data", "gone"), "no HttpRequestParser.gone:"),
    ],
)
def test_another_aiohttp_is_told_of_once_and_serves_without_the_fast_path(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: object, told: str
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(fast_path, name, value)
    assert kind_of_connection(fast_path=True) is PlainConnection
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert told in record.getMessage()


def test_a_name_of_ours_that_aiohttp_takes_for_something_else_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FastConnection, "__slots__", ("_loop",))
    assert missing() == ["RequestHandler without _loop"]


def test_without_the_setting_there_is_no_fast_path_and_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert kind_of_connection(fast_path=False) is PlainConnection
    assert kind_of_connection(fast_path=True) is FastConnection
    assert caplog.records == []
