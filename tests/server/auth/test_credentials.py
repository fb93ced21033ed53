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


def test_new_tokens_are_valid_and_logged_by_name(
    credentials: Credentials, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        credentials.refresh()
        assert caplog.text == ""
        file.write_text("second:" + "x" * SHORT + "\nthird:" + "z" * SHORT)
        credentials.refresh()
    assert names(credentials) == {"api", "second", "third"}
    assert "tokens_loaded level=admin names=second,third" in caplog.text
    assert "xxx" not in caplog.text


@pytest.mark.parametrize("text", [None, "", "# none\n", "empty:\n", "\x00t\x00o\n"])
def test_an_unusable_file_leaves_the_previous_tokens_valid(
    credentials: Credentials, file: Path, caplog: pytest.LogCaptureFixture, text: str | None
) -> None:
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    credentials.refresh()
    assert names(credentials) == {"api", "first"}
    assert {token.level for token in credentials.tokens} == {Level.API, Level.ADMIN}
    assert "tokens_unusable error=" in caplog.text


def test_an_emptied_file_leaves_the_previous_tokens_valid_even_if_a_variable_has_one_of_that_level(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = Credentials(read(["--admin-token-file", str(file), "--admin-token", "other:" + "y" * SHORT], {}))
    file.write_text("")
    credentials.refresh()
    assert names(credentials) == {"other", "first"}
    (line,) = [message for message in caplog.messages if message.startswith("tokens_unusable ")]
    assert f"'{file}' holds no token" in line


def test_a_short_token_is_warned_of(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("back end:" + "x" * SHORT)  # the blank separates two tokens, of which the first is short
    credentials = Credentials(read(["--api-token-file", str(file)], {}))
    assert len(credentials.tokens) == 2
    (line,) = [message for message in caplog.messages if message.startswith("token_short ")]
    assert f" name={credentials.tokens[0].name} " in line


def test_unusable_tokens_at_startup_are_an_error(file: Path) -> None:
    settings = read(["--api-token-file", str(file)], {})
    file.unlink()
    with pytest.raises(CredentialsUnusable, match=r"tokens.*No such file.*tokens"):
        Credentials(settings)
    file.write_text("# emptied after the settings were checked\n")
    with pytest.raises(CredentialsUnusable, match=r"tokens.*holds no token"):
        Credentials(settings)


WINDOWS = {
    "UTF-8 with a mark": b"\xef\xbb\xbfops:",
    "two files joined, each with its mark": b"\xef\xbb\xbf# ours\r\n\xef\xbb\xbfops:",
}


@pytest.mark.parametrize("begin", WINDOWS.values(), ids=WINDOWS)
def test_byte_order_marks_and_line_ends_of_windows_are_not_part_of_a_token(file: Path, begin: bytes) -> None:
    token = "x" * SHORT
    file.write_bytes(begin + token.encode() + b"\r\n")
    credentials = Credentials(read(["--admin-token-file", str(file)], {}))
    assert names(credentials) == {"ops"}
    assert Access(credentials.tokens).allows({"Authorization": f"Bearer {token}"}, Level.ADMIN)
