"""The files of the page at /docs. They are read from disk: call `page_files` in a thread."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from server.http.files import PageFile, packed

# Only files of this package are used. It is not imported, because its module needs Flask.
PACKAGE = "flask_swagger_ui"
PAGE = "page.html"
# The same page for a server with tokens: it asks for one first.
GUARDED_PAGE = "guarded-page.html"

_OWN = Path(__file__).parent
_OWN_FILES = (PAGE, "page.css", "page.js")
_OF_PACKAGE = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")


@cache
def page_files() -> dict[str, PageFile]:
    """All files by name. Without the package, only our own. It takes a tenth of a second once."""
    found = {path.name: path.read_bytes() for path in _paths()}
    found[GUARDED_PAGE] = found[PAGE].replace(b'<form id="access" hidden>', b'<form id="access">')
    return {name: packed(name, body) for name, body in found.items()}


def _paths() -> Iterator[Path]:
    yield from (_OWN / name for name in _OWN_FILES)
    found = importlib.util.find_spec(PACKAGE)
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        yield from (Path(folder, "dist", name) for name in _OF_PACKAGE)
