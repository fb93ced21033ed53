"""The tokens in settings and in files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from server.auth.access import SHORT, Level, Token

# The byte order mark that editors on Windows write at the start of a file. In joined files it is in the middle, too.
_BOM = "\ufeff"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def tokens(texts: Iterable[str], level: Level) -> list[Token]:
    """The tokens in some texts. Each is a word of the form `token` or `name:token`; `#` begins a comment.

    A token without a name is named by its level and the first digits of its hash. Raises ValueError for a token that is
    empty or cannot be sent.
    """
    found = []
    for line in "\n".join(texts).replace(_BOM, "").splitlines():
        for word in line.partition("#")[0].replace(",", " ").split():
            name, _, token = word.rpartition(":")
            if not token:  # for example because the text was made from a variable that is not set
                raise ValueError(f"the {level.name.lower()} token of {name!r} is empty; write it after the colon")
            if not name.isprintable():  # the name goes into headers and the audit log
                fault = "has a character that cannot be printed; choose another name"
                raise ValueError(f"the name {name!r} of an {level.name.lower()} token {fault}")
            if not token.isprintable():  # such as the zero bytes of a UTF-16 file without a byte order mark
                fault = "has a character that cannot be printed; choose another token, and save a file as UTF-8 text"
                raise ValueError(f"the {level.name.lower()} token of {name!r} {fault}")
            digest = hashlib.sha256(token.encode()).digest()
            named = name or f"{level.name.lower()}-{digest.hex()[:8]}"
            found.append(Token(named, level, digest, len(token) < SHORT))
    return found


def tokens_of_text(level: Level, text: str) -> list[Token]:
    """The tokens in a setting. Raises ValueError if there is none, because the server would then require none."""
    found = tokens([text], level)
    if not found:
        raise ValueError("it holds no token (only blanks, commas or comments); write a token, or leave it unset")
    return found


def tokens_of_file(level: Level, name: str) -> list[Token]:
    """The tokens in a file. Raises ValueError if there is none, and OSError if the file cannot be read."""
    if not name:
        raise ValueError("it names no file; name a file that holds a token, or leave it unset")
    found = tokens([_text_of(Path(name))], level)
    if not found:
        raise ValueError(
            f"the file {name!r} holds no token (only blanks, commas or comments); write a token into it,"
            " or leave the setting unset"
        )
    return found


def _text_of(file: Path) -> str:
    """The text of a token file. Raises OSError, or ValueError if it is not UTF-8."""
    read = file.read_bytes()
    try:
        return read.decode()
    except UnicodeDecodeError:
        found = "is UTF-16" if read.startswith(_UTF_16) else "is not UTF-8"
        raise ValueError(f"the file {str(file)!r} {found}; save it as UTF-8 text") from None
