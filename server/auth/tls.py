"""TLS certificates, which are reloaded when their files change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from core.log_event import LogEvent

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Certificate:
    """A certificate with its key, and the TLS context that presents it to clients."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read both. Raises OSError, of which ssl.SSLError is a subclass, if they are invalid or do not match."""
        self._files = (certificate, key)
        self.pem = (b"", b"")  # the texts of the certificate with its chain, and of the key
        self._seen = self._state()
        self.context = self._latest = self._loaded()
        self.context.sni_callback = self._show

    def refresh(self) -> bool:
        """Reload the files if they have changed, for new connections. Returns whether that was done.

        If they cannot be used, that is logged, and the previous certificate is kept.
        """
        try:
            state = self._state()
            if state == self._seen:
                return False
            self._seen = state
            # A new context, because the one in use could present nothing between loading a certificate and its key.
            self._latest = self._loaded()
        except OSError as error:
            effect = "the previous certificate is kept"
            log.error(LogEvent("certificate_unusable", path=self._files[0], error=error, effect=effect))
            return False
        log.info(LogEvent("certificate_reloaded", path=self._files[0]))
        return True

    async def follow(self) -> None:
        """Reload the files when they change, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.refresh)

    def _show(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Use the latest context for a new connection. It is called even if the client names no server."""
        connection.context = self._latest

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._files)
        certificate, key = self._files
        self.pem = (certificate.read_bytes(), key.read_bytes())
        return context

    def _state(self) -> list[tuple[int, int, int]]:
        found = [file.stat() for file in self._files]
        return [(each.st_mtime_ns, each.st_size, each.st_ino) for each in found]
