"""What the service shows to be itself, and what its callers show: the certificate and the tokens."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

from server.auth.access import Level, Token
from server.auth.tls import Certificate

log = logging.getLogger(__name__)


class CredentialsUnusable(Exception):
    """The tokens or the certificate cannot be used; the message says which, and why."""


class Sources(Protocol):
    """Where credentials come from: what is needed of the settings, which themselves need this package."""

    @property
    def tokens(self) -> list[Token]:
        """The tokens as they are now. Raises OSError or ValueError."""

    @property
    def tls_certificate(self) -> Path | None:
        """The file of the certificate."""

    @property
    def tls_key(self) -> Path | None:
        """The file of its key."""


class Credentials:
    """Held by whoever forks the workers, so that one that begins in the middle of a renewal has those before."""

    def __init__(self, sources: Sources) -> None:
        """Read them; raises CredentialsUnusable."""
        self._sources = sources
        try:
            self.tokens = sources.tokens
        except (OSError, ValueError) as error:
            raise CredentialsUnusable(f"the tokens cannot be used: {error}") from None
        self._tell()
        certificate, key = sources.tls_certificate, sources.tls_key
        if (certificate is None) != (key is None):
            raise CredentialsUnusable("REVERSAL_TLS_CERTIFICATE and REVERSAL_TLS_KEY are set together or not at all")
        self.certificate: Certificate | None = None
        if certificate is not None and key is not None:
            try:
                self.certificate = Certificate(certificate, key)
            except OSError as error:
                raise CredentialsUnusable(f"the certificate {certificate} cannot be used: {error}") from None

    def refresh(self) -> None:
        """Read the files again. What cannot be used is told in the log, and what was before is kept."""
        if self.certificate is not None:
            self.certificate.refresh()
        try:
            found = self._sources.tokens  # a file without one is an error: it is empty while it is being written
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
