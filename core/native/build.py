"""Build the optional extension with the C compiler of this machine: python core/native/build.py [FOLDER].

The headers of Python are needed (Debian: gcc, python3-dev). One build serves Python 3.11 and all later ones. This file
needs nothing of the package, which imports it.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

FOLDER = Path(__file__).parent
FILE = "_native.abi3.so"
# Without contraction a product and a sum are rounded apart, as NumPy rounds them.
FLAGS = ("-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden")


class BuildError(RuntimeError):
    """The extension cannot be built here; the message says why."""


def source_digest(folder: Path = FOLDER) -> str:
    """Return the digest of all sources of the extension."""
    files = sorted([*folder.glob("*.c"), *folder.glob("*.h")])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def build(folder: Path = FOLDER) -> Path:
    """Build the extension into a folder. Raises BuildError."""
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").exists():
        raise BuildError(f"Python's headers are missing: {include}/Python.h (Debian: python3-dev)")
    compiler = shlex.split(os.environ.get("CC") or "cc")
    target = folder / FILE
    sources = [str(file) for file in sorted(FOLDER.glob("*.c"))]
    defined = f'-DNATIVE_SOURCE="{source_digest()}"'
    # A process that has loaded the old file keeps it: the new one takes its name only when it is whole.
    fresh = folder / f"{FILE}.new"
    linking = ["-shared", *(["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else [])]
    command = [*compiler, *FLAGS, f"-I{include}", defined, *sources, *linking, "-o", str(fresh)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the user's compiler
    except OSError as error:
        raise BuildError(f"no C compiler: {compiler[0]}: {error.strerror} (Debian: gcc)") from None
    if done.returncode:
        raise BuildError(f"{compiler[0]} failed:\n{done.stderr}")
    fresh.replace(target)
    return target


if __name__ == "__main__":
    try:
        print(build(*map(Path, sys.argv[1:2])))  # noqa: T201 - the result
    except BuildError as error:
        sys.exit(f"core/native/build.py: {error}")
