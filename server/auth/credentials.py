"""What the service shows to be itself, and what its callers show: the certificate and the tokens."""

from __future__ import annotations

import logging

from server.auth.access import Level
from server.auth.tls import Certificate
from server.settings import Settings, SettingsError

log = logging.getLogger(__name__)


class Credentials:
    """Held by whoever forks the workers, so that one that begins in the middle of a renewal has those before."""

    def __init__(self, settings: Settings) -> None:
        """Read them; raises SettingsError."""
        self._settings = settings
        try:
            self.tokens = settings.tokens
        except (OSError, ValueError) as error:
            raise SettingsError(f"the tokens cannot be used: {error}") from None
        self._tell()
        certificate, key = settings.tls_certificate, settings.tls_key
        if (certificate is None) != (key is None):
            raise SettingsError("REVERSAL_TLS_CERTIFICATE and REVERSAL_TLS_KEY are set together or not at all")
        self.certificate: Certificate | None = None
        if certificate is not None and key is not None:
            try:
                self.certificate = Certificate(certificate, key)
            except OSError as error:
                raise SettingsError(f"the certificate {certificate} cannot be used: {error}") from None

    def refresh(self) -> None:
        """Read the files again. What cannot be used is told in the log, and what was before is kept."""
        if self.certificate is not None:
            self.certificate.refresh()
        try:
            found = self._settings.tokens  # a file without one is an error: it is empty while it is being written
        except (OSError, ValueError) as error:
            log.error("the tokens cannot be used, those before are kept: %s", error)
            return
        if found != self.tokens:
            self.tokens = found
            self._tell()

    def _tell(self) -> None:
        for level in Level:
            if names := [token.name for token in self.tokens if token.level is level]:
                log.info("%s tokens: %s", level.name, ", ".join(names))
        for token in self.tokens:
            if token.short:
                log.warning("the token %s is so short that it can be guessed", token.name)
