"""The notes on experiments."""

from __future__ import annotations

from core.errors import Conflict
from core.store.drivers.database import Connection
from core.store.interface import MAX_NOTES, Note
from core.store.sql.states import read_experiment


def add_note(connection: Connection, experiment_id: str, note: Note) -> None:
    """See Store.add_note. The writer's lock keeps two notes from getting the same number."""
    read_experiment(connection, experiment_id)
    ((count,),) = connection.rows("SELECT COUNT(*) FROM notes WHERE experiment_id = ?", [experiment_id])
    if count >= MAX_NOTES:
        full = f"has {MAX_NOTES:,} notes already, the most that are kept; write further ones elsewhere"
        raise Conflict(f"experiment {experiment_id} {full}")
    connection.run(
        "INSERT INTO notes (experiment_id, number, noted_at, body) VALUES (?, ?, ?, ?)",
        [experiment_id, count + 1, note.at, note.text],
    )


def read_notes(connection: Connection, experiment_id: str) -> list[Note]:
    """See Store.notes."""
    rows = connection.rows("SELECT noted_at, body FROM notes WHERE experiment_id = ? ORDER BY number", [experiment_id])
    return [Note(*row) for row in rows]
