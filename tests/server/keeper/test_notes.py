from __future__ import annotations

import re

import pytest

from core.store.interface import MAX_NOTES, Note, Store
from server.keeper.store_access import StoreAccess
from tests.server.keeper.calls import EXPERIMENT, Call
from tests.server.keeper.records import AT

URL = "/reversal/experiments"


async def test_notes_are_added_in_every_status_and_shown_oldest_first(call: Call) -> None:
    await call("POST", URL, EXPERIMENT)
    added = []
    for text, step in (("before\nthe start", "activate"), ("ECB at 14:15", "stop"), ("B was better", None)):
        answer = await call("POST", f"{URL}/exp/notes", {"text": text})
        assert answer.status == 200
        assert answer.data.pop("experiment_id") == "exp"
        assert answer.data["text"] == text
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", answer.data["at"])
        added.append(answer.data)
        if step is not None:
            assert (await call("POST", f"{URL}/exp/{step}")).status == 200
    shown = (await call("GET", f"{URL}/exp")).data
    assert shown["notes"] == added
    assert shown["status"] == "stopped"
    assert (await call("GET", f"{URL}/exp/report")).data["notes"] == added
    assert [note["at"] for note in added] == sorted(note["at"] for note in added)


async def test_a_draft_without_notes_shows_none(call: Call) -> None:
    await call("POST", URL, EXPERIMENT)
    for page in ("", "/report"):
        assert (await call("GET", f"{URL}/exp{page}")).data["notes"] == []


@pytest.mark.parametrize("body", [{}, {"text": None}, {"text": 7}, {"text": ""}, {"text": " \n"}, {"text": "\0"}])
async def test_a_text_that_is_no_note_is_a_422_with_its_path(call: Call, body: object) -> None:
    await call("POST", URL, EXPERIMENT)
    answer = await call("POST", f"{URL}/exp/notes", body)
    assert (answer.status, answer.details[0]["path"]) == (422, "text")
    assert (await call("GET", f"{URL}/exp")).data["notes"] == []


async def test_a_note_has_at_most_2000_characters(call: Call) -> None:
    await call("POST", URL, EXPERIMENT)
    assert (await call("POST", f"{URL}/exp/notes", {"text": "\N{SNOWMAN}" * 2_000})).status == 200
    answer = await call("POST", f"{URL}/exp/notes", {"text": "n" * 2_001})
    assert (answer.status, answer.details[0]["path"]) == (422, "text")


async def test_a_note_beyond_the_most_is_a_409(call: Call, store: StoreAccess) -> None:
    await call("POST", URL, EXPERIMENT)

    def fill(store: Store) -> None:
        for number in range(MAX_NOTES):
            store.add_note("exp", Note(AT, str(number)))

    await store.write(fill)
    answer = await call("POST", f"{URL}/exp/notes", {"text": "one more"})
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert len((await call("GET", f"{URL}/exp")).data["notes"]) == MAX_NOTES
