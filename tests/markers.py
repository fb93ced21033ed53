"""The folders whose tests all run one by one. Other modules and tests set the marker `serial` themselves."""

from __future__ import annotations

# These tests start whole servers in real processes. Most of them measure or limit time, or drive a browser.
SERIAL_FOLDERS = ("tests/system", "tests/server/process", "tests/dashboard")
