"""The state that was last seen on this machine, for a start without the store."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from core.serving.state import State

log = logging.getLogger(__name__)


class RememberedState:
    """A file beside the journals. Both calls block."""

    def __init__(self, journals: Path) -> None:
        self._file = journals / "state.json"

    def read(self) -> State:
        """The state that was written last; the first one where there is none that can be read."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=State)
        except (OSError, msgspec.MsgspecError):
            return State()

    def write(self, state: State) -> None:
        """Replace the file as a whole. Where that fails the log tells, and the file stays as it was."""
        temporary = self._file.with_suffix(".new")
        try:
            temporary.touch(mode=0o600)
            temporary.write_bytes(msgspec.json.encode(state))
            temporary.replace(self._file)
        except OSError as error:
            log.warning("the state cannot be kept in %s: %s", self._file, error.strerror or error)
