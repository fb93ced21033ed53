from __future__ import annotations

import stat
from pathlib import Path

import pytest

from core.serving.state import State
from server.keeper.remembered_state import RememberedState

SEEN = State(revision=7, active="v2", user_key="00ff")


def test_the_last_state_is_read_again_and_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    RememberedState(tmp_path).write(State(revision=6))
    RememberedState(tmp_path).write(SEEN)
    assert RememberedState(tmp_path).read() == SEEN
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("held", [None, b"", b'{"revision":', b'{"revision":"7"}'])
def test_without_a_readable_file_it_is_the_initial_state(tmp_path: Path, held: bytes | None) -> None:
    if held is not None:
        (tmp_path / "state.json").write_bytes(held)
    assert RememberedState(tmp_path).read() == State()


def test_a_failed_write_is_logged_and_keeps_the_previous_state(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    RememberedState(tmp_path).write(SEEN)
    (tmp_path / "state.new").mkdir()
    RememberedState(tmp_path).write(State(revision=8))
    assert RememberedState(tmp_path).read() == SEEN
    (message,) = caplog.messages
    assert message.startswith(f'state_copy_unwritable path={tmp_path / "state.json"} error="Is a directory" ')
