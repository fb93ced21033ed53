"""Certificates in files, as on an operator's machine."""

from __future__ import annotations

from pathlib import Path

import trustme


def write(folder: Path, authority: trustme.CA, *names: str) -> tuple[Path, Path]:
    """A certificate for these names and its key."""
    issued = authority.issue_cert(*names)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return certificate, key
