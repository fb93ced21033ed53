"""Which tests run one by one: those of these folders; other modules and tests carry the marker `serial` themselves."""

from __future__ import annotations

# Whole servers in real processes: how long they take is what most of these tests are about.
SERIAL_FOLDERS = ("tests/system", "tests/server/process")
