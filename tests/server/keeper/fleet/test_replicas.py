"""Two replicas on one store: the keeper of the test, and another one whose reports the test writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from core.errors import StoreUnavailable
from core.serving.replicas import Replica, ReplicaVersion
from server.keeper.app_keys import REPLICAS, REPOSITORY
from server.keeper.changes import Changes
from server.keeper.fleet import replicas as fleet
from server.keeper.fleet.members import Members
from server.keeper.fleet.replicas import Replicas
from server.keeper.store_access import StoreAccess
from server.protocol.messages import Others
from tests import bundles
from tests.server.keeper.calls import EXPERIMENT, Call
from tests.waiting import until

Report = Callable[[Replica], Awaitable[list[Replica]]]
GOOD = ReplicaVersion("d1", loaded=True)
ON_DISK = ReplicaVersion("d2", loaded=False)
BROKEN = ReplicaVersion("d2", loaded=False, error="bundle v2: broken")


def other(revision: int = 0, **versions: ReplicaVersion) -> Replica:
    return Replica("other", "other:8000", revision, "v1", versions)


@pytest.fixture
def replicas(started: web.Application) -> Replicas:
    return started[REPLICAS]


@pytest.fixture
async def report(store: StoreAccess, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Reports another replica, in a store that is shared."""

    async def written(replica: Replica) -> list[Replica]:
        return await store.attempt(lambda store: store.report(replica))

    opened = await store.attempt(lambda store: store)
    monkeypatch.setattr(opened, "is_shared", True)
    monkeypatch.setattr(fleet, "REPORT_SECONDS", 0.05)
    return written


async def test_a_replica_reports_what_its_workers_serve_and_what_is_on_its_disk(
    report: Report, replicas: Replicas, models: Path, members: Members, call: Call
) -> None:
    await asyncio.to_thread(bundles.write, models, "v4")
    await asyncio.to_thread(bundles.write, models, "v5")
    await asyncio.to_thread((models / "v5" / "manifest.json").write_text, "{}")
    assert (await call("POST", "/reversal/models/v3/unload")).status == 200

    async def own() -> Replica:
        (found,) = [each for each in await report(other()) if each.replica_id == replicas.replica_id]
        return found

    await until(lambda: replicas._reported is not None and replicas._reported[1] == 1)  # noqa: SLF001
    found = await own()
    assert members.agreement.served is not None
    assert found.name.endswith(":8000")
    assert found.active == "v1"
    assert {version: each.loaded for version, each in found.versions.items()} == {
        "v1": True, "v2": True, "v3": False, "v4": False, "v5": False,
    }  # fmt: skip
    assert found.of("v1").digest == members.agreement.served.digests["v1"]
    assert [found.of(version).available for version in ("v1", "v3", "v4", "v5", "v6")] == [
        True, True, True, False, False,
    ]  # fmt: skip


async def test_a_store_of_one_server_gets_no_reports(store: StoreAccess, replicas: Replicas, changes: Changes) -> None:
    for _ in range(3):
        await replicas.report(changes.state)
    assert await store.attempt(lambda store: store.replicas()) == []


async def test_workers_are_told_of_the_others_and_of_their_end(
    report: Report, replicas: Replicas, members: Members, store: StoreAccess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await report(other(v1=GOOD))
    await until(lambda: replicas.others == (other(v1=GOOD),))
    assert members._others == Others((other(v1=GOOD),))  # noqa: SLF001
    await store.attempt(lambda store: store.leave("other"))
    await until(lambda: replicas.others == ())
    texts = [message for message in caplog.messages if message.startswith("replica_")]
    assert texts[0] == "replica_connected replica=other:8000"
    assert texts[-1] == "replica_disconnected replica=other:8000"


async def test_another_bundle_of_a_version_is_logged_once_and_refuses_nothing(
    report: Report, replicas: Replicas, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    await report(other(v1=GOOD, v2=GOOD))
    await until(lambda: bool(replicas.others))
    await report(other(1, v1=GOOD, v2=GOOD))
    await until(lambda: replicas.others[0].revision == 1)
    differing = [message for message in caplog.messages if message.startswith("replica_differs")]
    assert [line.split(" here=")[0] for line in differing] == [
        f"replica_differs replica=other:8000 version={version}" for version in ("v1", "v2")
    ]
    assert (await call("POST", "/reversal/models/v2/switch")).status == 200


async def test_another_bundle_is_logged_if_only_this_replica_has_changed(
    report: Report, replicas: Replicas, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await call("POST", "/reversal/models/v3/unload")).status == 200
    await report(other(v3=GOOD))
    await until(lambda: replicas.others == (other(v3=GOOD),))
    assert "replica_differs" not in caplog.text
    assert (await call("POST", "/reversal/models/v3/load")).status == 200
    await until(lambda: "replica_differs replica=other:8000 version=v3" in caplog.text)


@pytest.mark.parametrize("lacking", [None, BROKEN], ids=["absent", "broken"])
async def test_a_switch_is_refused_while_a_replica_lacks_the_version(
    report: Report, call: Call, changes: Changes, store: StoreAccess, lacking: ReplicaVersion | None
) -> None:
    await report(other() if lacking is None else other(v2=lacking))
    before = changes.state
    answer = await call("POST", "/reversal/models/v2/switch")
    assert (answer.status, answer.code) == (409, "CONFLICT")
    reason = "not in its models folder" if lacking is None else "bundle v2: broken"
    assert (answer.error or "").startswith(f"replica other:8000 cannot serve version v2: {reason}; publish it there")
    assert changes.state == before
    await report(other(v2=ON_DISK))
    assert (await call("POST", "/reversal/models/v2/switch")).status == 200
    await report(other())
    await store.attempt(lambda store: store.leave("other"))
    assert (await call("POST", "/reversal/models/v1/switch")).status == 200


async def test_an_activation_is_refused_while_a_replica_lacks_a_version_of_the_experiment(
    report: Report, call: Call
) -> None:
    await call("POST", "/reversal/experiments", EXPERIMENT)
    await report(other(v1=GOOD))
    answer = await call("POST", "/reversal/experiments/exp/activate")
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert "version v2" in (answer.error or "")
    (shown,) = (await call("GET", "/reversal/experiments")).data["experiments"]
    assert shown["status"] == "draft"
    await report(other(v1=GOOD, v2=GOOD))
    assert (await call("POST", "/reversal/experiments/exp/activate")).status == 200


async def test_loads_unloads_and_stops_need_no_other_replica(report: Report, call: Call, running: str) -> None:
    await report(other(10))
    for path in (f"experiments/{running}/stop", "models/v3/unload", "models/v3/load"):
        assert (await call("POST", f"/reversal/{path}")).status == 200


async def test_a_switch_waits_for_a_replica_that_still_follows_the_last_change(
    report: Report, call: Call, changes: Changes
) -> None:
    await report(other(0))
    assert (await call("POST", "/reversal/models/v2/load")).status == 200
    switching = asyncio.ensure_future(call("POST", "/reversal/models/v2/switch"))
    await until(lambda: changes._made > 1)  # noqa: SLF001 - it was refused once
    assert not switching.done()
    await report(other(1, v2=GOOD))
    assert (await switching).status == 200


async def test_without_the_store_the_others_are_not_known_after_a_while(
    report: Report, replicas: Replicas, changes: Changes, store: StoreAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await report(other(v1=GOOD))
    await until(lambda: bool(replicas.others))

    def gone(*_: object) -> None:
        raise StoreUnavailable("gone")

    opened = await store.attempt(lambda store: store)
    monkeypatch.setattr(opened, "report", gone)
    with pytest.raises(StoreUnavailable):
        await replicas.report(msgspec.structs.replace(changes.state, revision=5))
    assert replicas.others
    monkeypatch.setattr(fleet, "CONNECTED_SECONDS", 0)
    await until(lambda: not replicas.others)


@pytest.mark.usefixtures("report")
async def test_a_replica_that_ends_takes_its_row_away(
    started: web.Application, store: StoreAccess, members: Members, changes: Changes
) -> None:
    ending = Replicas("ending:8000", store, members, started[REPOSITORY])
    await ending.report(changes.state)

    async def names() -> set[str]:
        return {each.name for each in await store.attempt(lambda store: store.replicas())}

    assert "ending:8000" in await names()
    await ending.leave()
    assert "ending:8000" not in await names()
