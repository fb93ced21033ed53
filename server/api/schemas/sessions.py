"""Sessions of the page at /dashboard."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from server.api.schemas.json_schema import BOOLEAN, TEXT, Schema, or_null, record


class SignIn(msgspec.Struct):
    """The token with which the page signs in."""

    token: Annotated[str, Meta(min_length=1, max_length=8_000)]  # a header with a longer one would be refused


ANSWERS: dict[str, Schema] = {
    "Session": record(
        {
            "guarded": BOOLEAN,
            "signed_in": BOOLEAN,
            "name": or_null(TEXT),
            "level": {"enum": ["api", "admin", None]},
            "csrf": or_null(TEXT),
            "windows_kept": BOOLEAN,
        }
    ),
}
