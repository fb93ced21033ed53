"""What the manifests promise of a pod, with real servers that have the variables of the manifests."""

from __future__ import annotations

import json
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.bundles.manifest import _EARLIER, FORMAT_VERSION
from server.api.schemas.open_inference import MODEL
from tests import kustomize
from tests.deploy.manifests import environment, rendered, servers, stateful_set
from tests.market import ONNX, ROOT
from tests.processes import free_port, get, serving
from tests.system.load import Load
from tests.waiting import wait_until

pytestmark = pytest.mark.serial

API, NEXT, ADMIN = (f"a-token-of-the-tests-{name}" for name in ("api", "next", "admin"))


def secret(folder: Path, **files: str) -> Path:
    """Lay files out as the kubelet does with a Secret: links to a folder that one link names. Again: replace them."""
    (version := folder / f"..{time.time_ns()}").mkdir(parents=True)
    for name, text in files.items():
        (version / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (new := folder / "..data_tmp").symlink_to(version.name)
    new.rename(folder / "..data")
    return folder


def of_the_pod(container: kustomize.Object, folder: Path, port: int, models: Path) -> dict[str, str]:
    """The variables of a container, with paths below a folder, a free port, and SQLite as the store."""
    given = environment(container)
    tokens = secret(folder / "tokens", api=f"backend:{API}\n", admin=f"ops:{ADMIN}\n")
    return given | {
        "REVERSAL_HOST": "127.0.0.1",
        "REVERSAL_PORT": str(port),
        "REVERSAL_MODELS": str(models),
        "REVERSAL_STATE_URL": f"sqlite:///{folder}/state.db",
        "REVERSAL_JOURNALS": f"{folder}/journals",
        "REVERSAL_AUDIT": f"{folder}/audit.jsonl",
        "REVERSAL_API_TOKEN_FILE": str(tokens / "api"),
        "REVERSAL_ADMIN_TOKEN_FILE": str(tokens / "admin"),
    }


def status(url: str, token: str, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_deleted_pod_answers_everything_in_its_grace_period(models: Path, tmp_path: Path) -> None:
    pod = stateful_set(rendered("overlays/replicated"))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    port = free_port()
    given = of_the_pod(container, tmp_path, port, models) | {"REVERSAL_API_TOKEN_FILE": "", "REVERSAL_LOG_FORMAT": ""}
    del given["REVERSAL_ADMIN_TOKEN_FILE"]
    probe = container["readinessProbe"]
    with serving(state=tmp_path, port=port, **given) as server:
        load = Load(server.url, clients=4, pause=0.01)
        with load.running():
            load.wait_for(50)
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            failed = 0
            while failed < probe["failureThreshold"]:
                time.sleep(probe["periodSeconds"])
                failed += not answers(lambda: get(f"{server.url}/readyz")[0] == 200)
        # The load balancer has taken the pod out; connections that it keeps idle may be closed now.
        noticed = time.monotonic() - begun
        assert noticed < int(given["REVERSAL_GRACE_SECONDS"])
        server.process.wait(
            pod["terminationGracePeriodSeconds"] - container["lifecycle"]["preStop"]["sleep"]["seconds"]
        )
        assert server.process.returncode == 0
        assert "requests_aborted" not in server.log
    assert not load.refused
    assert not load.lost


def answers(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:
        return False


def test_a_secret_that_the_kubelet_renews_is_read_at_a_reload(models: Path, tmp_path: Path) -> None:
    (container, _), *_ = servers(rendered("overlays/single"))
    port = free_port()
    with serving(state=tmp_path, port=port, **of_the_pod(container, tmp_path, port, models)) as server:
        url = f"{server.url}/reversal/models"
        assert status(url, API)[0] == 200
        assert status(url, NEXT)[0] == 401
        secret(tmp_path / "tokens", api=f"backend:{NEXT}\n", admin=f"ops:{ADMIN}\n")
        before = set(server.workers)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: before.isdisjoint(server.workers) and status(url, NEXT)[0] == 200)
        assert status(url, API)[0] == 401


@pytest.fixture(scope="module")
def runtime() -> kustomize.Object:
    (found,) = (each for each in rendered("kserve/base") if each["kind"] == "ServingRuntime")
    return found


def started(runtime: kustomize.Object, tmp_path: Path, models: Path) -> tuple[int, dict[str, str]]:
    (container,) = runtime["spec"]["containers"]
    port = free_port()
    return port, of_the_pod(container, tmp_path, port, models) | {"REVERSAL_GRACE_SECONDS": "0"}


def test_kserve_s_client_finds_the_model_under_the_service_s_name(runtime: kustomize.Object, tmp_path: Path) -> None:
    for name in ("kserve/base", "kserve/canary", "kserve/standard"):
        (service,) = (each for each in rendered(name) if each["kind"] == "InferenceService")
        model = service["spec"]["predictor"]["model"]
        assert service["metadata"]["name"] == MODEL
        assert model["runtime"] == runtime["metadata"]["name"]
        assert model["protocolVersion"] in runtime["spec"]["protocolVersions"]
        formats = [{k: each[k] for k in ("name", "version")} for each in runtime["spec"]["supportedModelFormats"]]
        assert model["modelFormat"] in formats
        assert [each["version"] for each in formats] == [str(each) for each in (FORMAT_VERSION, *reversed(_EARLIER))]
    models = tmp_path / "mnt" / "models"
    shutil.copytree(ONNX, models)  # the storage initializer copies what is below storageUri
    port, given = started(runtime, tmp_path, models)
    with serving(state=tmp_path, port=port, **given) as server:
        assert status(f"{server.url}/v2/health/ready", "none")[0] == 200
        assert status(f"{server.url}/v2/models/{MODEL}/ready", API)[0] == 200
        body = (ROOT / "docs" / "examples" / "infer.json").read_bytes()
        code, answer = status(f"{server.url}/v2/models/{MODEL}/infer", API, body)
        assert (code, answer["model_name"]) == (200, MODEL)
        assert {each["name"] for each in answer["outputs"]} >= {"signal", "confidence"}
        assert status(f"{server.url}/v2/models/{MODEL}/infer", "none", body)[0] == 401


def test_bundles_that_kserve_links_from_elsewhere_are_refused(runtime: kustomize.Object, tmp_path: Path) -> None:
    (models := tmp_path / "mnt" / "models").mkdir(parents=True)
    for each in ONNX.iterdir():  # as the storage initializer does for file://
        (models / each.name).symlink_to(each)
    port, given = started(runtime, tmp_path, models)
    with serving(state=tmp_path, port=port, **given) as server:
        assert status(f"{server.url}/v2/health/ready", "none")[0] == 503
        assert status(f"{server.url}/livez", "none")[0] == 200
        assert "a link that leads outside the models folder" in server.log


def test_the_canary_s_share_is_whole_percents_of_another_folder() -> None:
    (canary,) = (each for each in rendered("kserve/canary") if each["kind"] == "InferenceService")
    (base,) = (each for each in rendered("kserve/base") if each["kind"] == "InferenceService")
    assert 0 < canary["spec"]["predictor"]["canaryTrafficPercent"] < 100
    assert canary["spec"]["predictor"]["model"]["storageUri"] != base["spec"]["predictor"]["model"]["storageUri"]
    (standard,) = (each for each in rendered("kserve/standard") if each["kind"] == "InferenceService")
    (share,) = standard["spec"]["canary"]
    assert 0 < share["trafficPercent"] < 100
    assert share["predictor"]["minReplicas"] <= standard["spec"]["predictor"]["minReplicas"]
