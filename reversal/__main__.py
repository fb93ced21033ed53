"""The command `reversal`.

`serve`, `convert`, `train` and `import` pass their arguments to the package that does the work. Nothing else is
imported before such a command is known, because the server first sets variables that its libraries read. All other
commands are in reversal/commands.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple


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


# The other commands: the place of each, and its line in the help.
CLICK = {
    "predict": ("reversal.commands.candles:predict", "answer from a file of candles, without a server"),
    "models": ("reversal.commands.versions:list_models", "list the versions in a folder of bundles"),
    "compare": ("reversal.commands.candles:compare", "answers of several versions for one file of candles"),
    "experiments": ("reversal.commands.experiments:experiments", "list, plan, report, assign"),
    "bench": ("reversal.commands.versions:bench", "how long a prediction takes on this machine"),
    "doctor": ("reversal.commands.doctor:doctor", "check settings, bundles, store, port and clock"),
}


def main(arguments: Sequence[str], program: str = "reversal") -> int:
    """Run one command. Returns the exit code: 2 for a bad call, or if an extra is not installed.

    `serve` ends the process itself. Wrong flags of a command raise SystemExit.
    """
    first, *others = arguments or [""]
    command = COMMANDS.get(first)
    if command is None or "_REVERSAL_COMPLETE" in os.environ:
        return _click(arguments, program)
    if missing := [module for module in command.needs if find_spec(module) is None]:
        sys.stderr.write(
            f"{program} {first}: not installed: {', '.join(missing)}. Install them with"
            " `pip install 'reversal[convert]'`, or from the project's folder with `pip install '.[convert]'`.\n"
        )
        return 2
    return command.run(others, f"{program} {first}")


def _click(arguments: Sequence[str], program: str) -> int:
    """Run a command that is not passed on, or show the help of all."""
    from reversal.commands.group import group  # noqa: PLC0415 - `serve` starts without it

    passed_on = {name: ("", command.help) for name, command in COMMANDS.items()}
    try:
        group(passed_on | CLICK).main(list(arguments), program, complete_var="_REVERSAL_COMPLETE")
    except SystemExit as ended:  # how click ends, also after success
        return int(ended.code or 0)


def console() -> int:
    """Run the command that was typed. Returns the exit code."""
    # For `python -m reversal`, Python sets the file's path as the program's name.
    program = "python -m reversal" if Path(sys.argv[0]).name == "__main__.py" else "reversal"
    return main(sys.argv[1:], program)


if __name__ == "__main__":
    sys.exit(console())
