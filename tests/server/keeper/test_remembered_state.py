from __future__ import annotations

import stat
from pathlib import Path

import pytest

from core.serving.state import State
from server.keeper.remembered_state import RememberedState

SEEN = State(revision=7, active="v2", user_key="00ff")


def test_what_was_written_last_is_read_by_the_next_start_and_by_no_other_user(tmp_path: Path) -> None:
    RememberedState(tmp_path).write(State(revision=6))
    RememberedState(tmp_path).write(SEEN)
    assert RememberedState(tmp_path).read() == SEEN
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("held", [None, b"", b'{"revision":', b'{"revision":"7"}'])
def test_where_nothing_can_be_read_the_first_state_stands_in(tmp_path: Path, held: bytes | None) -> None:
    if held is not None:
        (tmp_path / "state.json").write_bytes(held)
    assert RememberedState(tmp_path).read() == State()


def test_a_state_that_cannot_be_written_is_told_and_the_one_before_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    RememberedState(tmp_path).write(SEEN)
    (tmp_path / "state.new").mkdir()
    RememberedState(tmp_path).write(State(revision=8))
    assert RememberedState(tmp_path).read() == SEEN
    (told,) = caplog.messages
    assert told == f"the state cannot be kept in {tmp_path / 'state.json'}: Is a directory"
