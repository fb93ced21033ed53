"""Notes on experiments."""

from __future__ import annotations

from aiohttp import web

from core.experiments.experiment import now_micros
from core.store.interface import Note
from server.http.app_keys import CLOCK
from server.http.bodies.body import read_json
from server.http.envelope import success
from server.keeper import answers, decoding
from server.keeper.app_keys import STORE
from server.keeper.handlers.urls import experiment_id


async def add_note(request: web.Request) -> web.Response:
    """POST /reversal/experiments/{id}/notes: append a note, in any status of the experiment."""
    name = experiment_id(request)
    note = Note(now_micros(), decoding.note(await read_json(request)))
    await request.app[STORE].write(lambda store: store.add_note(name, note))
    (shown,) = answers.notes([note])
    return success({"experiment_id": name, **shown}, request.app[CLOCK].now())
