"""The keeper and the workers' manager share what both import: nothing of ours is imported twice after the fork."""

from __future__ import annotations

import subprocess
import sys

from tests.market import ROOT

BEFORE = ("server.__main__", "server.process.shared_imports")
KEEPER, MANAGER = "server.process.keeper_process", "server.process.workers"


def imported(*modules: str) -> set[str]:
    """The modules of ours, of aiohttp and of NumPy that a process has after importing these."""
    code = "".join(f"import {module}; " for module in modules) + "import sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    ours = ("server.", "core.", "aiohttp.", "numpy.")
    return {module for module in done.stdout.split() if module.startswith(ours)}


def handlers(package: str) -> list[str]:
    """The modules of a package of handlers, which an application imports when it is made."""
    folder = ROOT / package.replace(".", "/")
    return [f"{package}.{file.stem}" for file in folder.glob("*.py") if file.stem != "__init__"]


def test_what_both_need_is_imported_before_the_fork() -> None:
    both = imported(KEEPER) & imported(MANAGER)
    assert "aiohttp.web" in both
    assert not both - imported(*BEFORE)


def test_what_only_one_needs_is_imported_after_the_fork() -> None:
    keeper = imported(KEEPER, *handlers("server.keeper.handlers"))
    manager = imported(MANAGER, *handlers("server.worker.handlers"))
    alone = imported(*BEFORE) - (keeper & manager)
    assert alone - imported("server.__main__") == {"server.process.shared_imports"}
