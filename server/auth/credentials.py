"""Credentials: the server's certificate, and the tokens of its callers."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

from core.log_event import LogEvent
from server.auth.access import SHORT, Level, Token
from server.auth.failed_tokens import FailedTokens
from server.auth.tls import Certificate

log = logging.getLogger(__name__)


class CredentialsUnusable(Exception):
    """The tokens or the certificate cannot be used. The message says which, and why."""


class Sources(Protocol):
    """The settings that hold credentials. A protocol, because server.settings itself imports this package."""

    @property
    def tokens(self) -> list[Token]:
        """The current tokens, read from their files. Raises OSError or ValueError."""

    @property
    def tls_certificate(self) -> Path | None:
        """The certificate's file."""

    @property
    def tls_key(self) -> Path | None:
        """The file of the certificate's key."""


class Credentials:
    """The credentials in use. The process that forks the workers holds them.

    A worker that starts during a renewal therefore gets the previous, complete credentials. `failed` counts the wrong
    tokens that were sent to all workers.
    """

    def __init__(self, sources: Sources) -> None:
        """Read the credentials. Raises CredentialsUnusable."""
        self._sources = sources
        try:
            self.tokens = sources.tokens
        except (OSError, ValueError) as error:
            raise CredentialsUnusable(f"the tokens cannot be used: {error}") from None
        self.failed = FailedTokens()
        self._log_tokens()
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
        """Read the files again. If they cannot be used, that is logged, and the previous credentials are kept."""
        if self.certificate is not None:
            self.certificate.refresh()
        try:
            found = self._sources.tokens  # raises for a file without a token: it is empty while it is being written
        except (OSError, ValueError) as error:
            log.error(LogEvent("tokens_unusable", error=error, effect="the previous tokens stay valid"))
            return
        if found != self.tokens:
            self.tokens = found
            self._log_tokens()

    def _log_tokens(self) -> None:
        for level in Level:
            if names := [token.name for token in self.tokens if token.level is level]:
                log.info(LogEvent("tokens_loaded", level=level.name.lower(), names=names))
        for token in self.tokens:
            if token.short:
                action = f"use at least {SHORT} characters, so that it cannot be guessed"
                log.warning(LogEvent("token_short", name=token.name, action=action))
