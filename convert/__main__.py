"""`python -m convert`: the detectors of a folder of Keras files, proven and published as ONNX bundles."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from convert import versions
from convert.errors import Refused

ABOUT = "The detectors of a folder of Keras files, proven and published as ONNX bundles."


def main(arguments: Sequence[str] | None = None, program: str = "python -m convert") -> int:
    """Run the command; gives the exit code: 0, 1 where something was refused, 2 for wrong arguments, 130 for Ctrl-C."""
    options = _parser(program).parse_args(arguments)
    try:
        _convert(options.source, options.output, options.version)
    except Refused as error:
        sys.stderr.write(f"error: {error}; nothing was published\n")
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {place}{error.strerror}; every bundle is wholly old or wholly new\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; every bundle is wholly old or wholly new\n")
        return 130
    return 0


def _convert(source: Path, output: Path, only: str | None) -> None:
    found = versions.read(source)
    if only is not None and only not in found.versions:
        raise Refused.at("VERSION", f"{versions.FILE_NAME} has no version {only!r}, only {', '.join(found.versions)}")
    chosen = {name: version for name, version in found.versions.items() if only in (None, name)}
    stages = {name: versions.read_stages(source, name, version) for name, version in chosen.items()}
    _check_writable(output)

    # These import scikit-learn and ONNX Runtime, and later TensorFlow: seconds that a typing error need not cost.
    from convert import bundle, console, publish  # noqa: PLC0415

    with console.progress(sum(len(version.stages) for version in chosen.values())) as step:
        bundles = [
            bundle.convert_version(source, name, version, stages[name], step) for name, version in chosen.items()
        ]
    order = publish.publish(bundles, output, found.order)
    console.show(bundles, output, order)


def _check_writable(output: Path) -> None:
    """Find before the work what would stop its end; raises Refused."""
    there = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise Refused.at(str(there), "not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Refused.at(str(there), "cannot be written to")


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=ABOUT)
    parser.add_argument(
        "--source", type=Path, default=Path("models/keras"), help="where versions.toml lies (%(default)s)"
    )
    parser.add_argument("--output", type=Path, default=Path("models/onnx"), help="where the bundles go (%(default)s)")
    parser.add_argument("--version", help="convert this version only (default: all)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
