"""python -m migration FOLDER: import the experiments of the old service, one JSON file each."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from core.bundles.repository import Repository
from core.errors import StoreUnavailable
from core.journals.drainer import Drainer, FolderInUse
from core.store.interface import SchemaTooNew, StateChanged, StateFileMounted, StoreInUse
from core.store.opening import open_store, reserve
from migration import old_folder, summary
from migration.old_folder import EmptyFolder
from migration.plan import Plan
from server.settings import Settings, read
from server.settings_parsing import SettingsError

SOME_LEFT = 3


def main(arguments: Sequence[str], program: str = "python -m migration") -> int:
    """Import the files of a folder, and print what became of each.

    Returns the exit code: 0 if every file is in the store now, SOME_LEFT if some are not, 1 if nothing is imported
    because the folder or the store cannot be used, 2 for a bad call.
    """
    if not arguments or arguments[0].startswith("-"):
        asked = list(arguments[:1]) in (["-h"], ["--help"])
        (sys.stdout if asked else sys.stderr).write(
            f"usage: {program} FOLDER [the server's flags]\n"
            + (f"\nExample: {program} old/experiments\n" if asked else "")
        )
        return 0 if asked else 2
    folder = Path(arguments[0])
    try:
        settings = read(arguments[1:], os.environ, f"{program} FOLDER")
        plan = _import(folder, settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (EmptyFolder, StoreUnavailable, SchemaTooNew, StateFileMounted, StoreInUse, FolderInUse, OSError) as error:
        sys.stderr.write(f"nothing is imported\n{error}\n")
        return 1
    except StateChanged:
        sys.stderr.write("nothing is imported: the state was changed at the same time; try again\n")
        return 1
    sys.stdout.writelines(f"{line}\n" for line in summary.lines(plan))
    return SOME_LEFT if any(result.fate == "left" for result in plan.results) else 0


def _import(folder: Path, settings: Settings) -> Plan:
    files = old_folder.read(folder)
    versions = Repository(settings.models).listing().versions
    # Both locks are taken, because a server that runs on this machine would continue with the state that it has read.
    with (
        reserve(settings.state_url),
        closing(Drainer(settings.journal_folder)),
        closing(open_store(settings.state_url)) as store,
    ):
        return old_folder.write(store, files, versions)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
