from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.log_event import LogEvent
from server.keeper.audit import Audit, AuditUnusable
from server.protocol.messages import ADDRESS_HEADER, CALLER_HEADER
from server.settings import Settings
from tests.core.journals.samples import largest_file
from tests.server.client import Client
from tests.server.keeper.calls import EXPERIMENT


def entries(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(line) for line in settings.audit.read_text().splitlines()]


def events(caplog: pytest.LogCaptureFixture) -> list[LogEvent]:
    return [record.msg for record in caplog.records if isinstance(record.msg, LogEvent)]


async def test_every_management_call_has_an_entry_with_caller_and_states(client: Client, settings: Settings) -> None:
    headers = {CALLER_HEADER: "night-shift", ADDRESS_HEADER: "10.0.0.7"}
    assert (await client.post("/reversal/models/v2/switch", headers=headers)).status == 200
    assert (await client.post("/reversal/experiments", json=EXPERIMENT, headers=headers)).status == 201
    assert (await client.post("/reversal/experiments/exp/activate", headers=headers)).status == 200
    assert (await client.post("/reversal/experiments/exp/stop", headers=headers)).status == 200
    assert (await client.post("/reversal/models/v9/switch", headers=headers)).status == 404
    for path in ("load", "unload"):
        assert (await client.post(f"/reversal/models/v3/{path}", headers=headers)).status == 200
    found = entries(settings)
    assert [entry["call"].removeprefix("POST /reversal/") for entry in found] == [
        "models/v2/switch",
        "experiments",
        "experiments/exp/activate",
        "experiments/exp/stop",
        "models/v9/switch",
        "models/v3/load",
        "models/v3/unload",
    ]
    assert {entry["address"] for entry in found} == {"10.0.0.7"}
    assert {entry["who"] for entry in found} == {"night-shift"}  # plain-english: a field of the audit log
    switch, create, activate, stop, unknown, _, unload = found
    assert (switch["before"]["active"], switch["after"]["active"]) == (None, "v2")
    assert create["answer"]["variant_a"] == EXPERIMENT["variant_a"]
    assert (activate["before"]["experiment"], activate["after"]["experiment"]) == (None, "exp")
    assert (stop["before"]["experiment"], stop["after"]["experiment"]) == ("exp", None)
    assert unknown["answer"]["code"] == "UNKNOWN_VERSION"
    assert unknown["before"] == unknown["after"]
    assert unload["after"]["unloaded"] == ["v3"]


async def test_calls_that_only_read_have_no_entry(client: Client, settings: Settings) -> None:
    assert (await client.get("/reversal/experiments")).status == 200
    assert entries(settings) == []


def test_a_file_that_was_moved_away_is_created_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.jsonl"
    audit = Audit(path)
    audit.write({"call": 1})
    path.rename(tmp_path / "old.jsonl")
    audit.write({"call": 2})
    assert path.read_text() == '{"call":2}\n'
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_entry_that_cannot_be_written_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit(tmp_path / "audit.jsonl")
    (tmp_path / "audit.jsonl").unlink()
    (tmp_path / "audit.jsonl").mkdir()
    audit.write({"call": "POST /reversal/models/v2/switch"})
    (event,) = events(caplog)
    assert (event.name, event.fields["path"]) == ("audit_log_unwritable", tmp_path / "audit.jsonl")
    assert event.fields["error"] == "Is a directory"
    assert event.fields["entry"] == '{"call":"POST /reversal/models/v2/switch"}'
    with pytest.raises(AuditUnusable, match="Is a directory"):
        Audit(tmp_path / "audit.jsonl")


def test_an_entry_that_fits_only_in_part_is_removed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    audit.write({"call": 1})
    with largest_file(path.stat().st_size + 5):
        audit.write({"call": 2})
    audit.write({"call": 3})
    assert path.read_text() == '{"call":1}\n{"call":3}\n'
    (event,) = events(caplog)
    assert (event.name, event.fields["error"]) == ("audit_log_unwritable", "No space left on device")
    assert event.fields["entry"] == '{"call":2}'
