"""The group of commands: each module is imported when its command is used. All errors of commands end here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click
import orjson
from click.shell_completion import CompletionItem

from core.errors import ServiceError
from core.version import VERSION
from reversal.__main__ import INTERRUPTED, help_text
from server.settings import SETTINGS


class ServiceRefusal(click.ClickException):
    """An error of the service. code: as in answers of the service."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__(str(error))
        self.code = error.code


class OutputClosed(Exception):
    """The reader of the output has closed it. click would end with 1 for an OSError."""


class OfSettings(click.Command):
    """A command that takes the flags of the server; it reads them itself."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The flags of the server beside the command's own."""
        flags = [CompletionItem(each.flag, help=each.meaning) for each in SETTINGS if each.flag.startswith(incomplete)]
        return super().shell_complete(ctx, incomplete) + (flags if incomplete.startswith("-") else [])


class Lazy(click.Group):
    """A group whose commands are named by module and by their line in the help."""

    def __init__(self, places: Mapping[str, tuple[str, str]], **settings: object) -> None:
        """places: for each command, `module:function` and its line in the help; without a module it is passed on."""
        super().__init__(**settings)  # type: ignore[arg-type]
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names in the order of the table."""
        return list(self.places)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command. One that is passed on is only completed here."""
        if name not in self.places:
            return None
        place, line = self.places[name]
        if not place:
            return (OfSettings if name in {"serve", "import"} else click.Command)(name, help=line)
        module, _, function = place.partition(":")
        found: click.Command = getattr(import_module(module), function)
        return found

    def get_help(self, ctx: click.Context) -> str:
        """The text that --help shows without click."""
        return help_text(ctx.info_name or "reversal").rstrip()

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run a command. Errors of the service and of the system become click's."""
        try:
            super().invoke(ctx)
            if sys.stdout is not None:  # so that what cannot be written is an error here
                sys.stdout.flush()
        except ServiceError as error:
            raise ServiceRefusal(error) from None
        except BrokenPipeError:
            raise OutputClosed from None
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{place}{error.strerror or error}") from None


def group(places: Mapping[str, tuple[str, str]]) -> click.Group:
    """The command `reversal`."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    made = Lazy(
        places,
        name="reversal",
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
            "color": False if plain else None,
        },
        no_args_is_help=True,
    )
    return click.version_option(VERSION, prog_name="reversal", message="%(prog)s %(version)s")(made)


def run(places: Mapping[str, tuple[str, str]], arguments: Sequence[str], program: str) -> int:
    """Run a command that is not passed on, or show the help of all. Returns the exit code.

    An error is a line on standard error; with --json it is also an object on standard output. Raises BrokenPipeError
    if the output is closed.
    """
    try:
        code = group(places).main(list(arguments), program, complete_var="_REVERSAL_COMPLETE", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        if "--json" in arguments:
            found = {"error": error.format_message(), "code": getattr(error, "code", None)}
            with suppress(OSError):  # it may be the output that failed
                click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except OutputClosed:
        raise BrokenPipeError from None
    except SystemExit as ended:  # of a command with its own exit code
        return int(ended.code or 0)
    return code if isinstance(code, int) else 0
