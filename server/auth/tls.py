"""Certificates, read again when their files change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Certificate:
    """A certificate with its key, and the TLS context that shows it to whoever connects."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read both. Raises OSError, which ssl.SSLError is, where they are none or do not belong together."""
        self._files = (certificate, key)
        self._seen = self._state()
        self.context = self._latest = self._loaded()
        self.context.sni_callback = self._show

    def refresh(self) -> bool:
        """Read the files if they have changed, for those who connect from now on; whether that was done.

        What cannot be used is told in the log, and the one before stays.
        """
        try:
            state = self._state()
            if state == self._seen:
                return False
            self._seen = state
            # Not into the one in use: between a certificate and its key it would have neither to show.
            self._latest = self._loaded()
        except OSError as error:
            log.error("the certificate %s cannot be used, the one before is kept: %s", self._files[0], error)
            return False
        log.info("the certificate %s has been read again", self._files[0])
        return True

    async def follow(self) -> None:
        """Look at the files now and then, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.refresh)

    def _show(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Use the latest for a connection that begins; called whether or not it names a server."""
        connection.context = self._latest

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._files)
        return context

    def _state(self) -> list[tuple[int, int, int]]:
        found = [file.stat() for file in self._files]
        return [(each.st_mtime_ns, each.st_size, each.st_ino) for each in found]
