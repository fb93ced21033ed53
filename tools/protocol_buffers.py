"""Generates the modules of the messages of gRPC: python -m tools.protocol_buffers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
DESCRIPTION = Path("server/grpc/open_inference.proto")


def generate(output: Path) -> list[Path]:
    """Write the modules into a folder, below the same path as in the project; returns their paths in it.

    Raises ValueError if the description is invalid. The compiler runs in a process of its own, because it ends one that
    has loaded TensorFlow, which has its own copy of the same library.
    """
    arguments = [f"--proto_path={ROOT}", f"--python_out={output}", f"--pyi_out={output}", str(ROOT / DESCRIPTION)]
    # The arguments are this module's own.
    done = subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=False)  # noqa: S603
    if done.returncode:
        raise ValueError(f"{DESCRIPTION} is invalid")
    return [DESCRIPTION.with_name(f"{DESCRIPTION.stem}_pb2.{end}") for end in ("py", "pyi")]


def main() -> int:
    """Generate the modules in the project."""
    for path in generate(ROOT):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
