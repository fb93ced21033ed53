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
        "convert Keras detectors to bundles, and prove them equal",
        ("h5py", "keras", "lightgbm", "onnx", "rich", "skl2onnx", "sklearn", "tf_keras", "tensorflow", "tf2onnx"),
    ),
    "train": Command(
        _train, "train the committed detectors", ("keras", "lightgbm", "rich", "sklearn", "tf_keras", "tensorflow")
    ),
    "import": Command(_import, "import the old service's experiments; the server is stopped"),
}


# The other commands: the place of each, and its line in the help.
CLICK = {
    "predict": ("reversal.commands.candles:predict", "answer from a file of candles, without a server"),
    "models": ("reversal.commands.versions:list_models", "list the versions in a folder of bundles"),
    "compare": ("reversal.commands.candles:compare", "answers of several versions for one file of candles"),
    "replay": ("reversal.commands.replay:replay", "is it better? past candles through several versions"),
    "explain": ("reversal.commands.candles:explain", "how much each feature moved an answer"),
    "experiments": ("reversal.commands.experiments:experiments", "list, plan, report, assign"),
    "bench": ("reversal.commands.versions:bench", "how long a prediction takes on this machine"),
    "doctor": ("reversal.commands.doctor:doctor", "check settings, bundles, store, port and clock"),
}


INTERRUPTED = 130  # 128 and the number of SIGINT, as shells count
OUTPUT_CLOSED = 141  # likewise of SIGPIPE

_HELP = """\
Usage: {program} [OPTIONS] COMMAND [ARGS]...

  Reversal signals: serve detectors, try them on files, compare them in
  experiments.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
{commands}

  Example: {program} predict candles.csv --version v3.2

  Exit codes: 0 done; 1 refused or failed, the reason is on standard error;
  2 wrong arguments; 3 (import) some files were left; 130 interrupted;
  141 the reader of the output has closed it.

  Completion of commands and options:
    bash   eval "$(_REVERSAL_COMPLETE=bash_source reversal)"
    zsh    eval "$(_REVERSAL_COMPLETE=zsh_source reversal)"
    fish   _REVERSAL_COMPLETE=fish_source reversal | source
"""


def help_text(program: str) -> str:
    """The help of `reversal` itself. It is written here, because importing click takes half of the time of --help."""
    lines = {name: command.help for name, command in COMMANDS.items()} | {
        name: line for name, (_, line) in CLICK.items()
    }
    return _HELP.format(program=program, commands="\n".join(f"  {name:11}  {line}" for name, line in lines.items()))


def main(arguments: Sequence[str], program: str = "reversal") -> int:
    """Run one command. Returns the exit code: 2 for a bad call, or if an extra is not installed.

    `serve` ends the process itself. Wrong flags of a command that is passed on raise SystemExit.
    """
    first, *others = arguments or [""]
    completing = "_REVERSAL_COMPLETE" in os.environ
    if first in {"-h", "--help"} and not completing:
        print(help_text(program), end="")  # noqa: T201 - also if standard output is closed, which makes it None
        return 0
    command = COMMANDS.get(first)
    if command is None or completing:
        from reversal.commands.group import run  # noqa: PLC0415 - `serve` starts without it

        return run({name: ("", command.help) for name, command in COMMANDS.items()} | CLICK, arguments, program)
    if missing := [module for module in command.needs if find_spec(module) is None]:
        sys.stderr.write(
            f"{program} {first}: not installed: {', '.join(missing)}. Install them with"
            " `pip install 'reversal[convert]'`, or from the project's folder with `pip install '.[convert]'`.\n"
        )
        return 2
    return command.run(others, f"{program} {first}")


def console() -> int:
    """Run the command that was typed. Returns the exit code."""
    # For `python -m reversal`, Python sets the file's path as the program's name.
    program = "python -m reversal" if os.path.basename(sys.argv[0]) == "__main__.py" else "reversal"  # noqa: PTH119
    try:
        code = main(sys.argv[1:], program)
        if sys.stdout is not None:  # it is None if the caller has closed it
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # Python flushes it once more at its end, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return OUTPUT_CLOSED
        sys.stderr.write(f"Error: {error.strerror or error}\n")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(console())
