from __future__ import annotations

import os
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from server.auth.tls import Certificate
from tests.server.auth.certificates import write


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return client


def shown(certificate: Certificate, authority: trustme.CA, name: str, client: ssl.SSLContext | None = None) -> str:
    """The name in the certificate that a client gets which asks for `name`."""
    client = client or trusting(authority)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_side = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    client_side = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(3):
        for side in (client_side, server_side):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    found = client_side.getpeercert()
    assert found is not None
    return str(found["subjectAltName"][0][1])


def test_a_renewed_certificate_is_presented_from_then_on(tmp_path: Path, authority: trustme.CA) -> None:
    certificate = Certificate(*write(tmp_path, authority, "old.example"))
    assert shown(certificate, authority, "old.example") == "old.example"
    assert not certificate.refresh()
    write(tmp_path, authority, "new.example")
    assert certificate.refresh()
    assert shown(certificate, authority, "new.example") == "new.example"


@pytest.mark.parametrize("spoil", ["nothing", "another key", "no file"])
def test_an_unusable_certificate_leaves_the_previous_one_in_use(
    tmp_path: Path, authority: trustme.CA, caplog: pytest.LogCaptureFixture, spoil: str
) -> None:
    path, key = write(tmp_path, authority, "old.example")
    certificate = Certificate(path, key)
    if spoil == "nothing":
        path.write_text("")
    elif spoil == "another key":
        trustme.CA().issue_cert("x.example").private_key_pem.write_to_path(key)
    else:
        key.unlink()
    assert not certificate.refresh()
    assert f"certificate_unusable path={path} error=" in caplog.text
    assert shown(certificate, authority, "old.example") == "old.example"
    write(tmp_path, authority, "new.example")
    assert certificate.refresh()


def test_files_that_do_not_match_are_refused_at_startup(tmp_path: Path, authority: trustme.CA) -> None:
    path, key = write(tmp_path, authority, "old.example")
    trustme.CA().issue_cert("x.example").private_key_pem.write_to_path(key)
    with pytest.raises(OSError, match=r"KEY_VALUES_MISMATCH|key values mismatch"):
        Certificate(path, key)


def test_a_client_that_connects_during_a_renewal_gets_a_valid_certificate(
    tmp_path: Path, authority: trustme.CA
) -> None:
    """This holds without a server name, too: a client that connects to an address sends none."""
    certificate = Certificate(*write(tmp_path, authority, "127.0.0.1"))
    ended = threading.Event()

    def renew() -> None:
        while not ended.is_set():
            for each in tmp_path.iterdir():
                os.utime(each)
            certificate.refresh()

    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        client = trusting(authority)
        for _ in range(500):
            assert shown(certificate, authority, "127.0.0.1", client) == "127.0.0.1"
    finally:
        ended.set()
        renewing.join()
