"""What the keeper and its workers say to each other, over a websocket on a Unix socket."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from core.errors import ServiceError
from core.serving.state import Action, State

# Where a worker joins; not reachable from outside, as the keeper listens on a Unix socket alone.
MEMBERS_PATH = "/members"
# With what a worker forwards: the name of who sent it, and from where.
CALLER_HEADER = "X-Caller"
ADDRESS_HEADER = "X-Caller-Address"


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Load what this state needs, beside what is served. `order`: the models folder's, as the keeper found it."""

    change: int
    state: State
    order: tuple[str, ...]
    action: Action | None = None


class Apply(msgspec.Struct, frozen=True, tag=True):
    """Serve what was prepared, but not after `until`: the change is then taken back.

    until: of time.monotonic(), one clock for all processes of a machine; null where the state is decided already.
    """

    change: int
    until: float | None = None


class Abort(msgspec.Struct, frozen=True, tag=True):
    """Forget what was prepared."""

    change: int


class Announce(msgspec.Struct, frozen=True, tag=True):
    """The server will stop."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Prepared; or not, and why."""

    change: int
    code: str | None = None
    message: str = ""


class Applied(msgspec.Struct, frozen=True, tag=True):
    """Every request from now on sees the change; `active` is the version that answers."""

    change: int
    active: str | None


ToWorker: TypeAlias = Prepare | Apply | Abort | Announce
ToKeeper: TypeAlias = Ready | Applied

encode = msgspec.json.Encoder().encode
decode_for_worker = msgspec.json.Decoder(ToWorker).decode
decode_for_keeper = msgspec.json.Decoder(ToKeeper).decode


class Relayed(ServiceError):
    """A worker's refusal, with its code and its words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc] # every other error has one code; this one passes on any of them
