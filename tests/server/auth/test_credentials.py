from __future__ import annotations

import logging
from pathlib import Path

import pytest

from server.auth.access import SHORT, Access, Level
from server.auth.credentials import Credentials, CredentialsUnusable
from server.settings import read


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "tokens"
    file.write_text("first:" + "x" * SHORT)
    return file


@pytest.fixture
def credentials(file: Path) -> Credentials:
    return Credentials(read(["--admin-token-file", str(file), "--api-token", "api:" + "y" * SHORT], {}))


def names(credentials: Credentials) -> set[str]:
    return {token.name for token in credentials.tokens}


def test_new_ones_count_and_are_told_by_name(
    credentials: Credentials, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        credentials.refresh()
        assert caplog.text == ""
        file.write_text("second:" + "x" * SHORT + "\nthird:" + "z" * SHORT)
        credentials.refresh()
    assert names(credentials) == {"api", "second", "third"}
    assert "ADMIN tokens: second, third" in caplog.text
    assert "xxx" not in caplog.text


@pytest.mark.parametrize("text", [None, "", "# nobody\n", "nobody:\n", "\x00t\x00o\n"])
def test_what_cannot_be_used_leaves_those_before(
    credentials: Credentials, file: Path, caplog: pytest.LogCaptureFixture, text: str | None
) -> None:
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    credentials.refresh()
    assert names(credentials) == {"api", "first"}
    assert {token.level for token in credentials.tokens} == {Level.API, Level.ADMIN}
    assert "those before are kept" in caplog.text


def test_a_file_without_tokens_leaves_those_before_although_a_variable_has_one_of_that_level(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = Credentials(read(["--admin-token-file", str(file), "--admin-token", "other:" + "y" * SHORT], {}))
    file.write_text("")
    credentials.refresh()
    assert names(credentials) == {"other", "first"}
    assert f"the tokens cannot be used, those before are kept: the file '{file}' holds no token" in caplog.text


def test_one_that_can_be_guessed_is_warned_of(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("back end:" + "x" * SHORT)  # a blank ends the first
    credentials = Credentials(read(["--api-token-file", str(file)], {}))
    assert len(credentials.tokens) == 2
    assert f"the token {credentials.tokens[0].name} is so short that it can be guessed" in caplog.text
    assert "end is so short" not in caplog.text


def test_at_the_start_what_cannot_be_used_is_an_error(file: Path) -> None:
    settings = read(["--api-token-file", str(file)], {})
    file.unlink()
    with pytest.raises(CredentialsUnusable, match="the tokens cannot be used: "):
        Credentials(settings)
    file.write_text("# emptied between the settings' check and this one\n")
    with pytest.raises(CredentialsUnusable, match=r"the tokens cannot be used: the file .* holds no token"):
        Credentials(settings)


WINDOWS = {
    "UTF-8 with a mark": b"\xef\xbb\xbfops:",
    "two files joined, each with its mark": b"\xef\xbb\xbf# ours\r\n\xef\xbb\xbfops:",
}


@pytest.mark.parametrize("begin", WINDOWS.values(), ids=WINDOWS)
def test_the_marks_and_line_ends_of_windows_are_no_part_of_a_token(file: Path, begin: bytes) -> None:
    token = "x" * SHORT
    file.write_bytes(begin + token.encode() + b"\r\n")
    credentials = Credentials(read(["--admin-token-file", str(file)], {}))
    assert names(credentials) == {"ops"}
    assert Access(credentials.tokens).allows({"Authorization": f"Bearer {token}"}, Level.ADMIN)
