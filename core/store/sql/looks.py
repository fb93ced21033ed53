"""The history of an experiment's reports: one row for each slot of time with a look."""

from __future__ import annotations

import msgspec

from core.experiments.look import Look
from core.store.drivers.database import Connection

# The looks that are kept of an experiment. A picture of the history shows no more points.
MOST_LOOKS = 1_000

_encode = msgspec.json.Encoder().encode
_look = msgspec.json.Decoder(Look).decode


def read_looks(connection: Connection, experiment_id: str) -> list[Look]:
    """See Store.looks."""
    rows = connection.rows("SELECT body FROM looks WHERE experiment_id = ? ORDER BY slot", [experiment_id])
    return [_look(body) for (body,) in rows]


def add_look(connection: Connection, experiment_id: str, look: Look) -> None:
    """See Store.add_look."""
    connection.run(
        "INSERT INTO looks (experiment_id, slot, body) VALUES (?, ?, ?) ON CONFLICT (experiment_id, slot) DO NOTHING",
        [experiment_id, look.slot, _encode(look).decode()],
    )
    ((count,),) = connection.rows("SELECT COUNT(*) FROM looks WHERE experiment_id = ?", [experiment_id])
    if count > MOST_LOOKS:
        _thin(connection, experiment_id)


def _thin(connection: Connection, experiment_id: str) -> None:
    """Keep the first look of each 2, 4, 8 ... slots, so that at most half of MOST_LOOKS are left."""
    slots = [slot for (slot,) in connection.rows("SELECT slot FROM looks WHERE experiment_id = ?", [experiment_id])]
    width = 2
    while len({slot // width for slot in slots}) > MOST_LOOKS // 2:
        width *= 2
    connection.run(
        "DELETE FROM looks WHERE experiment_id = ? AND slot NOT IN "
        "(SELECT MIN(slot) FROM looks WHERE experiment_id = ? GROUP BY slot / ?)",
        [experiment_id, experiment_id, width],
    )
