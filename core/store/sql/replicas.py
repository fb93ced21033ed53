"""The replicas that use the store, each with a row that it renews. Times are of the database's clock."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from core.serving.replicas import Replica
from core.store.drivers.database import Connection
from core.store.interface import CONNECTED_SECONDS

# Rows that were not renewed for this long are removed.
FORGET_SECONDS = 600

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Replica).decode


def renew(connection: Connection, replica: Replica, now: str) -> None:
    """Write a replica's row. `now`: the database's clock as an SQL expression, in microseconds since 1970."""
    connection.run(
        f"INSERT INTO replicas (replica_id, seen_at, body) VALUES (?, {now}, ?) ON CONFLICT (replica_id) DO UPDATE "  # noqa: S608 - a constant
        "SET seen_at = excluded.seen_at, body = excluded.body",
        [replica.replica_id, _encode(replica).decode()],
    )


def connected(connection: Connection, now: str) -> list[Replica]:
    """See Store.replicas. Rows of the future are from before a failover to a server whose clock is behind."""
    rows = connection.rows(
        f"SELECT body FROM replicas WHERE seen_at BETWEEN {now} - ? AND {now} + ?",  # noqa: S608 - a constant
        [CONNECTED_SECONDS * 1_000_000] * 2,
    )
    found = []
    for (body,) in rows:
        with suppress(msgspec.MsgspecError):  # of another release
            found.append(_decode(body))
    return sorted(found, key=lambda replica: (replica.name, replica.replica_id))


def remove_old(connection: Connection, now: str) -> None:
    """Remove the rows of replicas that ended long ago."""
    connection.run(f"DELETE FROM replicas WHERE seen_at < {now} - ?", [FORGET_SECONDS * 1_000_000])  # noqa: S608 - a constant


def remove(connection: Connection, replica_id: str) -> None:
    """Remove a replica's own row."""
    connection.run("DELETE FROM replicas WHERE replica_id = ?", [replica_id])
