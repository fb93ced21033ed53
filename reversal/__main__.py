"""`reversal serve`, `convert`, `train` and `import`: each passes its arguments to the package that does the work.

Nothing else is imported before the command is known, because the server first sets variables that its libraries read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from core.version import VERSION


def _serve(arguments: Sequence[str], program: str) -> int:
    from server.process import first_signals  # noqa: PLC0415 - as the module's docstring says

    first_signals.prepare()  # before the slow imports
    from server.__main__ import run  # noqa: PLC0415

    run(arguments, program)


def _convert(arguments: Sequence[str], program: str) -> int:
    from convert.__main__ import main  # noqa: PLC0415

    return main(arguments, program)


def _train(arguments: Sequence[str], program: str) -> int:
    from training.__main__ import main  # noqa: PLC0415

    return main(arguments, program)


def _import(arguments: Sequence[str], program: str) -> int:
    from migration.__main__ import main  # noqa: PLC0415

    return main(arguments, program)


class Command(NamedTuple):
    """One command: its function, its line in the usage, and the modules that only the extra `convert` installs."""

    run: Callable[[Sequence[str], str], int]
    help: str
    needs: tuple[str, ...] = ()


COMMANDS = {
    "serve": Command(_serve, "answer requests over HTTP"),
    "convert": Command(
        _convert,
        "convert Keras detectors to ONNX bundles, and prove them equal",
        ("h5py", "keras", "onnx", "rich", "skl2onnx", "sklearn", "tf_keras", "tensorflow", "tf2onnx"),
    ),
    "train": Command(_train, "train the reference detectors", ("rich", "sklearn", "tf_keras", "tensorflow")),
    "import": Command(_import, "import the experiments of the old service, while the server is stopped"),
}


def main(arguments: Sequence[str], program: str = "reversal") -> int:
    """Run one command. Returns the exit code: 2 for a bad call, or if an extra is not installed.

    `serve` ends the process itself. Wrong flags of a command raise SystemExit.
    """
    first, *others = arguments or [""]
    if first in {"-h", "--help"}:
        sys.stdout.write(usage(program))
        return 0
    if first == "--version":
        sys.stdout.write(f"reversal {VERSION}\n")
        return 0
    command = COMMANDS.get(first)
    if command is None:
        sys.stderr.write(usage(program) + (f"{program}: unknown command {first!r}\n" if first else ""))
        return 2
    if missing := [module for module in command.needs if find_spec(module) is None]:
        sys.stderr.write(
            f"{program} {first}: not installed: {', '.join(missing)}. Install them with"
            " `pip install 'reversal[convert]'`, or from the project's folder with `pip install '.[convert]'`.\n"
        )
        return 2
    return command.run(others, f"{program} {first}")


def usage(program: str) -> str:
    """The text of --help."""
    lines = [f"  {name:9} {command.help}\n" for name, command in COMMANDS.items()]
    return (
        f"usage: {program} COMMAND [arguments], {program} --version\n\n{''.join(lines)}\n"
        f"{program} COMMAND --help shows the arguments of a command.\n"
    )


def console() -> int:
    """Run the command that was typed. Returns the exit code."""
    # For `python -m reversal`, Python sets the file's path as the program's name.
    program = "python -m reversal" if Path(sys.argv[0]).name == "__main__.py" else "reversal"
    return main(sys.argv[1:], program)


if __name__ == "__main__":
    sys.exit(console())
