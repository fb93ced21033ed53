"""The client of an application that a test serves, and the check of its answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import web
from aiohttp.test_utils import TestClient

# Reached only if a test fails: on a busy machine a test may take seconds between two requests.
KEEP_ALIVE_SECONDS = 60.0

Client: TypeAlias = TestClient[web.Request, web.Application]
Post: TypeAlias = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


def assert_envelope(status: int, answer: dict[str, Any]) -> None:
    """Check the envelope of an answer of /reversal/* or /predict."""
    assert answer["success"] is (status == 200)
    if status == 200:
        assert set(answer) == {"success", "data", "error", "timestamp"}
        assert answer["error"] is None
    else:
        assert set(answer) - {"details"} == {"success", "data", "error", "code", "timestamp"}
        assert answer["data"] is None
        assert answer["error"]
