"""Types of the fixtures of this folder that call the keeper's endpoints, and an experiment to create."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

EXPERIMENT: dict[str, Any] = {
    "experiment_id": "exp",
    "name": "One against two",
    "variant_a": "v1",
    "variant_b": "v2",
    "traffic_split": 0.7,
}


class Answer(NamedTuple):
    """The status and the parts of the envelope."""

    status: int
    data: Any
    code: str | None
    details: list[dict[str, str]]
    error: str | None


class Call(Protocol):
    def __call__(self, method: str, path: str, body: object = None) -> Awaitable[Answer]: ...


Write: TypeAlias = Callable[..., Awaitable[None]]
