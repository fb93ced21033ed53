"""Generates the modules of the messages of gRPC: python -m tools.protocol_buffers."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).absolute().parents[1]
DESCRIPTION = Path("server/grpc/open_inference.proto")


def generate(output: Path) -> list[Path]:
    """Write the modules into a folder, below the same path as in the project; returns their paths in it.

    Raises ValueError if the description is invalid.
    """
    arguments = [f"--proto_path={ROOT}", f"--python_out={output}", f"--pyi_out={output}", str(ROOT / DESCRIPTION)]
    if protoc.main(["protoc", f"--proto_path={files('grpc_tools') / '_proto'}", *arguments]):
        raise ValueError(f"{DESCRIPTION} is invalid")
    return [DESCRIPTION.with_name(f"{DESCRIPTION.stem}_pb2.{end}") for end in ("py", "pyi")]


def main() -> int:
    """Generate the modules in the project."""
    for path in generate(ROOT):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
