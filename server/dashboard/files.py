"""The files of the page at /dashboard. They are read from disk: call `dashboard_files` in a thread."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from server.dashboard import built
from server.http.files import MEDIA, PageFile, packed


def dashboard_files() -> dict[str, PageFile]:
    """All files by name; none if the page was not built. A page that was built again is read again."""
    try:
        changed = (built.FOLDER / built.PAGE).stat().st_mtime_ns
    except OSError:
        return {}
    return _read(built.FOLDER, changed)


@lru_cache(maxsize=1)
def _read(folder: Path, _changed: int) -> dict[str, PageFile]:
    paths = (path for path in folder.iterdir() if path.suffix in MEDIA and path.is_file())
    return {path.name: packed(path.name, path.read_bytes()) for path in paths}
