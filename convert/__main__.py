"""`python -m convert`: convert the detectors of a folder of Keras files, prove them, and publish them as bundles."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from convert.errors import Refused, line
from convert.networks import custom_objects
from convert.networks.custom_objects import CustomObjects
from convert.options import Options
from convert.sources import versions
from convert.sources.versions import StageSource
from convert.untrusted import contained
from convert.untrusted.contained import Contents, FileRefused, Role
from convert.untrusted.models.permitted import Permitted

_LONGEST = 2_000  # characters of a message, which can quote a file
ABOUT = "Convert the detectors of a folder of Keras files to ONNX, prove them equal, and publish them as bundles."


def main(arguments: Sequence[str] | None = None, program: str = "python -m convert") -> int:
    """Run the command. Returns the exit code: 0, 1 after a refusal, 2 for wrong arguments, 130 after Ctrl-C."""
    options = _parser(program).parse_args(arguments)
    try:
        _convert(options)
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


def _convert(arguments: argparse.Namespace) -> None:
    source, output, only = arguments.source, arguments.output, arguments.version
    found = versions.read(source)
    if only is not None and only not in found.versions:
        raise Refused.at("VERSION", f"{versions.FILE_NAME} has no version {only!r}, only {', '.join(found.versions)}")
    chosen = {name: version for name, version in found.versions.items() if only in (None, name)}
    versions.check_sizes(source, chosen.values())
    stages = {name: versions.read_stages(source, name, version) for name, version in chosen.items()}
    _check_writable(output)
    options = _options(arguments)
    contents = _read_files(source, stages, options.custom.permitted(fallback=options.fallback))

    # These import scikit-learn, ONNX Runtime and later TensorFlow, which takes seconds. Typing errors are found before.
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


def _read_files(source: Path, stages: dict[str, dict[str, StageSource]], rules: Permitted) -> dict[str, Contents]:
    """Read the models and scalers of all stages, each once. Returns the contents by file name.

    rules: what models may contain.
    """
    places: dict[str, tuple[Role, str]] = {}
    for name, labelled in stages.items():
        for label, stage in labelled.items():
            if stage.files.scaler is not None:
                places.setdefault(stage.files.scaler, ("scaler", f"{name} {label}"))
            places.setdefault(stage.files.model, ("model", f"{name} {label}"))
    try:
        found = contained.read([(role, source / file) for file, (role, _) in places.items()], rules)
    except FileRefused as error:
        _, place = list(places.values())[error.index]
        raise Refused.at(place, error) from None
    return dict(zip(places, found, strict=True))


def _check_writable(output: Path) -> None:
    """Raise Refused if the result could not be written, before the work begins."""
    there = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise Refused.at(str(there), "not a folder; give another --output")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Refused.at(str(there), "not writable; give another --output, or change its permissions")


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=ABOUT)
    parser.add_argument(
        "--source", type=Path, default=Path("models/keras"), help="folder of versions.toml (%(default)s)"
    )
    parser.add_argument("--output", type=Path, default=Path("models/onnx"), help="folder for the bundles (%(default)s)")
    parser.add_argument("--version", help="convert only this version (default: all)")
    parser.add_argument(
        "--no-fallback", action="store_true", help="refuse what the table of layers does not have, instead of tf2onnx"
    )
    parser.add_argument(
        "--custom-objects", metavar="MODULE", help="import this module, and allow its layers and functions in the files"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
