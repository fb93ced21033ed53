"""The folders whose tests all run one by one. Other modules and tests set the marker `serial` themselves."""

from __future__ import annotations

# These tests start whole servers in real processes, and most of them measure or limit time.
SERIAL_FOLDERS = ("tests/system", "tests/server/process")
