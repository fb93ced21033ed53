"""Builds a wheel with the extension (core/native) instead of a pure one, if REVERSAL_NATIVE=1 is set."""

from __future__ import annotations

import os
import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeHook(BuildHookInterface[Any]):
    """Adds the extension to the wheel. It serves Python 3.11 and all later ones, on this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - as hatchling calls it
        """Build it if that is wanted. To a pure wheel it can be added where that is installed."""
        if os.environ.get("REVERSAL_NATIVE") != "1":
            return
        build = runpy.run_path(str(Path(self.root) / "core" / "native" / "build.py"))["build"]
        file = build()
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data |= {"pure_python": False, "tag": f"cp311-abi3-{platform}"}
        build_data["force_include"][str(file)] = file.relative_to(self.root).as_posix()
