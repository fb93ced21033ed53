"""python -m migration FOLDER: import the experiments of the old service, one JSON file each."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from core.errors import StoreUnavailable
from core.journals.drainer import Drainer, FolderInUse
from core.store.interface import SchemaTooNew, StateChanged, StoreInUse
from core.store.opening import open_store, reserve
from migration import legacy_experiments
from migration.legacy_experiments import LegacyRefused
from server.settings import Settings, read
from server.settings_parsing import SettingsError


def main(arguments: Sequence[str], program: str = "python -m migration") -> int:
    """Import all files of the folder or none. Returns the exit code: 2 for a bad call, 1 for refused files."""
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write(f"usage: {program} FOLDER [the server's flags]\n")
        return 2
    folder = Path(arguments[0])
    try:
        settings = read(arguments[1:], os.environ, f"{program} FOLDER")
        done = _import(folder, settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (LegacyRefused, StoreUnavailable, SchemaTooNew, StoreInUse, FolderInUse, OSError) as error:
        sys.stderr.write(f"nothing is imported\n{error}\n")
        return 1
    except StateChanged:
        sys.stderr.write("nothing is imported: the state was changed at the same time; try again\n")
        return 1
    for experiment_id in done.new:
        sys.stdout.write(f"{experiment_id}: imported\n")
    for experiment_id in done.already_there:
        sys.stdout.write(f"{experiment_id}: imported before, not changed\n")
    return 0


def _import(folder: Path, settings: Settings) -> legacy_experiments.Imported:
    experiments = legacy_experiments.read_folder(folder)
    # Both locks are taken, because a server that runs on this machine would continue with the state that it has read.
    with (
        reserve(settings.state_url),
        closing(Drainer(settings.journal_folder)),
        closing(open_store(settings.state_url)) as store,
    ):
        return legacy_experiments.write(store, experiments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
