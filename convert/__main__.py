"""`python -m convert`: convert the detectors of a folder of Keras files, prove them, and publish them as bundles."""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from convert import inspection
from convert.errors import ManyRefused, Refused, line
from convert.networks import custom_objects
from convert.networks.custom_objects import CustomObjects
from convert.options import Options
from convert.sources import versions

# Characters of a message, which can quote a file, and messages of one call.
_LONGEST, _MOST = 2_000, 100
ABOUT = "Convert the detectors of a folder of Keras files to ONNX, prove them equal, and publish them as bundles."


def main(arguments: Sequence[str] | None = None, program: str = "python -m convert") -> int:
    """Run the command. Returns the exit code: 0, 1 after a refusal, 2 for wrong arguments, 130 after Ctrl-C."""
    options = _parser(program).parse_args(arguments)
    # Without this, msgspec's types can be freed in an order in which it reads freed memory, and a conversion that has
    # succeeded ends with SIGSEGV: the last collection of the interpreter leaves frozen objects alone.
    atexit.register(gc.freeze)
    try:
        if options.explain:
            return _explain(options.explain)
        _convert(options)
    except ManyRefused as error:
        sys.stderr.write("".join(f"error: {line(each, _LONGEST)}\n" for each in error.messages[:_MOST]))
        sys.stderr.write(f"{len(error.messages)} problems; nothing was published\n")
        return 1
    except Refused as error:
        sys.stderr.write(f"error: {line(str(error), _LONGEST)}; nothing was published\n")
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {place}{error.strerror}; each bundle is completely old or completely new\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; each bundle is completely old or completely new\n")
        return 130
    return 0


def _explain(files: Sequence[Path]) -> int:
    from convert import explaining  # noqa: PLC0415 - rich takes part of a second

    return explaining.explain(files)


def _convert(arguments: argparse.Namespace) -> None:
    source, output, only = arguments.source, arguments.output, arguments.version
    found = versions.read(source)
    if only is not None and only not in found.versions:
        raise Refused.at("VERSION", f"{versions.FILE_NAME} has no version {only!r}, only {', '.join(found.versions)}")
    chosen = {name: version for name, version in found.versions.items() if only in (None, name)}
    versions.check_sizes(source, chosen.values())
    _check_writable(output)
    options = _options(arguments)

    rules = options.custom.permitted(fallback=options.fallback)
    stages, contents = inspection.inspect(source, chosen, rules)

    # These import ONNX Runtime and later TensorFlow, which takes seconds.
    from convert import bundle, console, publish  # noqa: PLC0415

    with console.progress(sum(len(version.stages) for version in chosen.values())) as step:
        bundles = [
            bundle.convert_version(name, version, stages[name], contents, step, options)
            for name, version in chosen.items()
        ]
    order = publish.publish(bundles, output, found.order)
    console.show(bundles, output, order)


def _options(arguments: argparse.Namespace) -> Options:
    """The options for every stage. A module of the user is imported here, before any file is read."""
    custom = CustomObjects() if arguments.custom_objects is None else custom_objects.load(arguments.custom_objects)
    return Options(fallback=not arguments.no_fallback, custom=custom)


def _check_writable(output: Path) -> None:
    """Raise Refused if the result could not be written, before the work begins."""
    there = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise Refused.at(str(there), "not a folder; give another --output")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Refused.at(str(there), "not writable; give another --output, or change its permissions")


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program, description=ABOUT, epilog=f"Example: {program} --source models/keras --version v3.1"
    )
    parser.add_argument(
        "--source", type=Path, default=Path("models/keras"), help="folder of versions.toml (%(default)s)"
    )
    parser.add_argument("--output", type=Path, default=Path("models/onnx"), help="folder for the bundles (%(default)s)")
    parser.add_argument("--version", help="convert only this version (default: all)")
    parser.add_argument(
        "--explain",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="convert nothing, but say what each file is and whether it will convert: a model, a scaler, a feature"
        " list, or a versions.toml",
    )
    parser.add_argument(
        "--no-fallback", action="store_true", help="refuse what the table of layers does not have, instead of tf2onnx"
    )
    parser.add_argument(
        "--custom-objects", metavar="MODULE", help="import this module, and allow its layers and functions in the files"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
