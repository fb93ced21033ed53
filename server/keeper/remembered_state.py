"""The state last seen on this machine, for a startup without the store."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from core.log_event import LogEvent
from core.serving.state import State

log = logging.getLogger(__name__)


class RememberedState:
    """A copy of the state in a file beside the journals. Both methods block."""

    def __init__(self, journals: Path) -> None:
        self._file = journals / "state.json"

    def read(self) -> State:
        """The state that was written last, or the initial state if there is no readable file."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=State)
        except (OSError, msgspec.MsgspecError):
            return State()

    def write(self, state: State) -> None:
        """Replace the file atomically. If that fails, the error is logged and the file stays unchanged."""
        temporary = self._file.with_suffix(".new")
        try:
            temporary.touch(mode=0o600)
            temporary.write_bytes(msgspec.json.encode(state))
            temporary.replace(self._file)
        except OSError as error:
            log.warning(
                LogEvent(
                    "state_copy_unwritable",
                    path=self._file,
                    error=error.strerror or error,
                    effect="a startup without the store would use an older state",
                )
            )
