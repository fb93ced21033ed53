"""The group of commands: each module is imported when its command is used, so that --help is fast."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

from core.version import VERSION

EPILOG = """\b
Exit codes: 0 done; 1 refused or failed, the reason is on standard error; 2 wrong arguments; 3 (import) some files
were left; 130 interrupted.

\b
Completion of commands and options:
  bash   eval "$(_REVERSAL_COMPLETE=bash_source reversal)"
  zsh    eval "$(_REVERSAL_COMPLETE=zsh_source reversal)"
  fish   _REVERSAL_COMPLETE=fish_source reversal | source
"""


class Lazy(click.Group):
    """A group whose commands are named by module and by their line in the help."""

    def __init__(self, places: Mapping[str, tuple[str, str]], **settings: object) -> None:
        """places: for each command, `module:function` and its line in the help."""
        super().__init__(**settings)  # type: ignore[arg-type]
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names in the order of the table."""
        return list(self.places)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if name not in self.places:
            return None
        module, _, function = self.places[name][0].partition(":")
        found: click.Command = getattr(import_module(module), function)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the lines of the table, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.places.items()])


def group(places: Mapping[str, tuple[str, str]]) -> click.Group:
    """The command `reversal`."""
    made = Lazy(
        places,
        name="reversal",
        help="Reversal signals: serve detectors, try them on files, compare them in experiments.",
        epilog=EPILOG,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        no_args_is_help=True,
    )
    return click.version_option(VERSION, prog_name="reversal", message="%(prog)s %(version)s")(made)
