"""What makes an application for a test: its arguments, and the type of what builds it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from aiohttp import web

from server.settings import Settings

Build: TypeAlias = Callable[[Settings], Awaitable[web.Application]]


def state_arguments(folder: Path) -> list[str]:
    """A state of the test's own."""
    state = ["--state-url", f"sqlite:///{folder}/state.db", "--journals", str(folder / "journals")]
    return [*state, "--audit", str(folder / "audit.jsonl")]
