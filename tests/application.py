"""The state arguments of a test's application, and the type of the fixture that builds it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from aiohttp import web

from server.settings import Settings

Build: TypeAlias = Callable[[Settings], Awaitable[web.Application]]


def state_arguments(folder: Path) -> list[str]:
    """Command-line flags that keep state, journals and audit log in `folder`."""
    state = ["--state-url", f"sqlite:///{folder}/state.db", "--journals", str(folder / "journals")]
    return [*state, "--audit", str(folder / "audit.jsonl")]
