"""Where the built page is. Nothing slow is imported here, because the server asks when it starts."""

from __future__ import annotations

from pathlib import Path

# `make dashboard` writes the files; the wheel and the image have them.
FOLDER = Path(__file__).parent / "built"
# The build writes this file last.
PAGE = "index.html"
COMMAND = "make dashboard"


def is_built() -> bool:
    """Whether there is a page to serve."""
    return (FOLDER / PAGE).is_file()
