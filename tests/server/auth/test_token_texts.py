"""How tokens are written in settings and files."""

from __future__ import annotations

import pytest

from server.auth.access import Level
from server.auth.token_texts import tokens


def test_a_token_without_a_name_is_named_by_its_hash() -> None:
    found = tokens(["a:one two", "\n# nothing\n\n"], Level.API)
    assert [token.name for token in found] == ["a", "api-3fc4ccfe"]  # sha256sum of `two`
    assert not any("two" in str(field) for token in found for field in token)


def test_the_name_of_a_token_must_be_printable() -> None:
    with pytest.raises(ValueError, match=r"name 'b\\x01b' of an admin token"):
        tokens(["b\x01b:secret"], Level.ADMIN)


@pytest.mark.parametrize("text", ["bob:", "one two:", ":"])
def test_an_empty_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is empty"):
        tokens([text], Level.ADMIN)
