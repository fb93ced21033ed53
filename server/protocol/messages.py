"""Messages between the keeper and its workers, over a websocket on a Unix socket."""

from __future__ import annotations

import socket
from typing import TypeAlias

import msgspec

from core.errors import ServiceError
from core.serving.replicas import Replica
from core.serving.state import Action, Replaced, Served, State
from server.protocol.pages import AskWindow, FoundWindow, Watch, Watched

# The path at which a worker joins. It is not reachable from outside: the keeper listens only on a Unix socket.
MEMBERS_PATH = "/members"
# The path to which a worker sends the requests that it has traced, and the header with the number of those that it had
# to drop.
TRACES_PATH = "/traces"
DROPPED_HEADER = "X-Traces-Dropped"
# Headers of a forwarded request: the name of its caller, the caller's address, and `yes` if the caller may use ADMIN
# endpoints. A client cannot set them, because a worker forwards no header of a client except the type of its body.
CALLER_HEADER = "X-Caller"
ADDRESS_HEADER = "X-Caller-Address"
MANAGES_HEADER = "X-Caller-Manages"
# The folder with copies of the served bundles, in the folder that the server's processes share.
KEPT_BUNDLES = "bundles"


def replica_name(port: int | None) -> str:
    """The name of this replica in messages and answers: its host and port; None for a server on a Unix socket."""
    name = socket.gethostname()
    return name if port is None else f"{name}:{port}"


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Load what this state needs, beside what is served. order: of the models folder, as the keeper read it.

    served: what the other workers serve, which this one must serve as well before it follows the state; null if the
    server has just started, or if all workers make the change together.
    """

    change: int
    state: State
    order: tuple[str, ...]
    action: Action | None = None
    served: Served | None = None


class Apply(msgspec.Struct, frozen=True, tag=True):
    """Serve what was prepared, unless it is later than `until`: the keeper has then taken the change back.

    until: of time.monotonic(), which all processes of a machine share; null if the state is already decided.
    """

    change: int
    until: float | None = None


class Abort(msgspec.Struct, frozen=True, tag=True):
    """Discard what was prepared."""

    change: int


class Announce(msgspec.Struct, frozen=True, tag=True):
    """The server is shutting down."""


class Others(msgspec.Struct, frozen=True, tag=True):
    """What the other connected replicas have."""

    replicas: tuple[Replica, ...]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The change is prepared; if there is a `code`, it could not be prepared, and `message` is the reason.

    served: what this worker will serve with the change; null if it is not prepared.
    """

    change: int
    code: str | None = None
    message: str = ""
    served: Served | None = None


class Applied(msgspec.Struct, frozen=True, tag=True):
    """Every request from now on sees the change. `active` is the active version. replaced: see Snapshot."""

    change: int
    active: str | None
    replaced: tuple[Replaced, ...] = ()


# What decides the state of a worker is handled in order; the questions of open pages are answered beside it.
Ordered: TypeAlias = Prepare | Apply | Abort | Announce | Others
ToWorker: TypeAlias = Ordered | Watch | AskWindow
ToKeeper: TypeAlias = Ready | Applied | Watched | FoundWindow

encode = msgspec.json.Encoder().encode
decode_for_worker = msgspec.json.Decoder(ToWorker).decode
decode_for_keeper = msgspec.json.Decoder(ToKeeper).decode


class Relayed(ServiceError):
    """A worker's refusal, with its code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc] # each other class has one code; this one passes on any code
