"""The packages that gRPC needs, which only the extra `grpc` installs."""

from __future__ import annotations

import importlib.util
from collections.abc import MutableMapping

from server.settings_parsing import SettingsError

NEEDS = ("grpc", "grpc_health", "grpc_reflection", "google.protobuf")
# gRPC's library reads these when it is imported. Its own lines on stderr would not have the log's format, and what they
# tell is in the statuses of calls. Its handlers of forks wait for its threads, and no child of a worker uses gRPC.
_VARIABLES = {"GRPC_VERBOSITY": "NONE", "GRPC_ENABLE_FORK_SUPPORT": "0"}


def require(environ: MutableMapping[str, str]) -> None:
    """Prepare for the import of gRPC. Raises SettingsError if the extra is not installed."""
    if missing := [name for name in NEEDS if not _is_installed(name)]:
        raise SettingsError(
            f"REVERSAL_GRPC_PORT: gRPC needs packages that are not installed ({', '.join(missing)}); install the extra"
            ' grpc, such as pip install "reversal[grpc]", or leave REVERSAL_GRPC_PORT unset'
        )
    for name, value in _VARIABLES.items():
        environ.setdefault(name, value)


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of a parent package
        return False
