from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from core.bundles.repository import Repository
from core.serving.replicas import Replica, ReplicaVersion
from server.worker.app_keys import STATE_FOLLOWER
from tests import bundles
from tests.server.client import Client, Post
from tests.server.questions import asks
from tests.server.worker_fixture import Worker


async def test_all_versions_are_listed_with_the_active_one(client: Client) -> None:
    answer = await (await client.get("/reversal/models")).json()
    assert answer["data"]["active_version"] == "v1"
    assert list(answer["data"]["versions"]) == ["v1", "v2", "v3"]
    assert all(version["loaded"] for version in answer["data"]["versions"].values())


async def test_one_version_is_shown_in_full(client: Client, models: Path) -> None:
    response = await client.get("/reversal/models/v2")
    assert response.status == 200
    data = (await response.json())["data"]
    assert {
        "version", "name", "description", "threshold", "loaded", "has_stage2", "num_features", "sequence_length",
        "required_candles", "recommended_candles", "stages", "metrics", "metadata",
    } <= set(data)  # fmt: skip
    assert (data["version"], data["threshold"], data["loaded"], data["has_stage2"]) == ("v2", 0.6, True, True)
    assert (data["num_features"], data["sequence_length"], data["required_candles"]) == (2, 4, 8)
    assert data["stages"]["stage1"]["features"] == ["close", "sma_5"]
    assert data["stages"]["stage2"]["positive"] == "short"
    for role in ("network", "scaler"):
        file = data["stages"]["stage1"]["files"][role]
        assert hashlib.sha256((models / "v2" / file["file"]).read_bytes()).hexdigest() == file["sha256"]
    assert "error" not in data


@pytest.mark.parametrize("path", ["/reversal/models/v9", "/reversal/models/..%2Fv1", "/reversal/models/%2e%2e"])
async def test_an_unknown_version_in_a_path_is_a_404(client: Client, path: str) -> None:
    response = await client.get(path)
    assert response.status == 404
    assert (await response.json())["code"] in ("UNKNOWN_VERSION", "NOT_FOUND")


@pytest.mark.parametrize("action", ["switch", "load", "unload"])
async def test_an_unknown_version_cannot_be_changed(post: Post, action: str) -> None:
    status, answer = await post(f"/reversal/models/v9/{action}")
    assert (status, answer["code"]) == (404, "UNKNOWN_VERSION")
    assert all(each in answer["error"] for each in ("v9", "v1", "v2", "v3"))


async def test_switch_changes_the_version_that_answers(post: Post) -> None:
    _, answer = await post("/reversal/models/v3/switch")
    assert answer["data"] == {"active_version": "v3", "previous_version": "v1"}
    _, answer = await post("/reversal/predict", asks(0.1))
    assert answer["data"]["model_version"] == "v3"


async def test_switch_loads_a_bundle_added_after_startup(post: Post, models: Path) -> None:
    bundles.write(models, "v4")
    status, _ = await post("/reversal/models/v4/switch")
    assert status == 200
    _, answer = await post("/reversal/predict", asks(0.1))
    assert answer["data"]["model_version"] == "v4"


async def test_load_and_unload(post: Post, client: Client) -> None:
    _, answer = await post("/reversal/models/v2/unload")
    assert answer["data"] == {"version": "v2", "loaded": False}
    shown = (await (await client.get("/reversal/models/v2")).json())["data"]
    assert (shown["loaded"], shown["threshold"]) == (False, 0.6)
    _, answer = await post("/reversal/models/v2/load")
    assert answer["data"] == {"version": "v2", "loaded": True}


async def test_the_active_version_cannot_be_unloaded(post: Post) -> None:
    status, answer = await post("/reversal/models/v1/unload")
    assert (status, answer["code"]) == (409, "CONFLICT")


async def test_a_bundle_with_one_flipped_byte_is_refused_and_the_active_version_goes_on(
    post: Post, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (file,) = (models / "v1").glob("stage2-network-*")
    bundles.flip_byte(file)
    status, answer = await post("/reversal/models/v1/load")
    assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
    assert file.name in answer["error"]
    (refused,) = [message for message in caplog.messages if message.startswith("request_refused ")]
    assert "code=MODEL_UNAVAILABLE path= count=1 error=" in refused
    assert file.name in refused
    _, answer = await post("/reversal/predict", asks(0.82, 0.32))
    assert (answer["data"]["model_version"], answer["data"]["signal"]) == ("v1", "long")


async def test_a_switch_to_a_broken_bundle_leaves_the_active_one(post: Post, client: Client, models: Path) -> None:
    (file,) = bundles.write(models, "v4").glob("stage1-scaler-*")
    bundles.flip_byte(file)
    status, answer = await post("/reversal/models/v4/switch")
    assert (status, answer["code"]) == (503, "MODEL_UNAVAILABLE")
    listed = (await (await client.get("/reversal/models")).json())["data"]
    assert listed["active_version"] == "v1"
    assert listed["versions"]["v4"]["loaded"] is False
    assert file.name in listed["versions"]["v4"]["error"]


def digests(models: Path) -> tuple[str, str]:
    """Publish other bundles than are loaded; returns the digests of the loaded v1 and of v4, which is on disk only."""
    before = Repository(models).digest("v1")
    for version in ("v1", "v4"):
        bundles.write(models, version, threshold=0.7)
    return before, Repository(models).digest("v4")


async def test_each_version_says_which_replica_has_which_bundle(worker: Worker, models: Path) -> None:
    here, on_disk = await asyncio.to_thread(digests, models)
    version = ReplicaVersion("f00d" * 16, loaded=False, error="bundle v1: broken")
    worker.app[STATE_FOLLOWER].others = (Replica("2", "other:8000", 1, None, {"v1": version}),)
    data = (await (await worker.client.get("/reversal/models")).json())["data"]["versions"]
    assert data["v1"] == (await (await worker.client.get("/reversal/models/v1")).json())["data"]
    assert data["v1"]["digest"] == here
    first, second = data["v1"]["replicas"]
    assert first.pop("name").endswith(":8000")
    assert first == {"digest": here, "loaded": True, "error": None}
    assert second == {"name": "other:8000", "digest": "f00d" * 16, "loaded": False, "error": "bundle v1: broken"}
    assert (data["v4"]["digest"], data["v4"]["loaded"]) == (on_disk, False)
    assert data["v4"]["replicas"][1] == {
        "name": "other:8000", "digest": None, "loaded": False, "error": "not in its models folder",
    }  # fmt: skip


async def test_a_version_that_cannot_be_read_has_no_digest(worker: Worker, models: Path) -> None:
    bundles.write(models, "v4")
    (models / "v4" / "manifest.json").write_text("{}")
    data = (await (await worker.client.get("/reversal/models/v4")).json())["data"]
    assert data["digest"] is None
    assert data["replicas"][0]["error"] == data["error"]
