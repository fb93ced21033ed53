"""The packages that tracing needs, which only the extra `otel` installs."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from server.settings_parsing import SettingsError

NEEDS = "opentelemetry.exporter.otlp.proto.http"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN = "http/protobuf"


def require(environ: Mapping[str, str]) -> None:
    """Raise SettingsError if traces cannot be sent: the extra is not installed, or another protocol is wanted."""
    try:
        found = importlib.util.find_spec(NEEDS)
    except ModuleNotFoundError:  # of a parent package
        found = None
    if found is None:
        raise SettingsError(
            "REVERSAL_TRACING: tracing needs packages that are not installed; install the extra otel, such as"
            " pip install 'reversal[otel]', or set REVERSAL_TRACING=0"
        )
    given = next(((name, environ[name]) for name in _PROTOCOLS if environ.get(name)), None)
    if given is not None and given[1] != _SPOKEN:
        raise SettingsError(
            f"{given[0]}: {given[1]!r} is not supported, expected {_SPOKEN}; example: {given[0]}={_SPOKEN}"
        )
