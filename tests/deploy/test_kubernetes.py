"""The manifests for Kubernetes: valid by the published schemas, and about settings, endpoints and limits that exist."""

from __future__ import annotations

import copy
import json
import re
import shutil
import stat
import subprocess
from pathlib import Path

import msgspec
import pytest

from core.version import VERSION
from server import settings
from server.api.endpoints import ENDPOINTS
from server.auth.access import Level
from server.http.bodies import sizes
from server.process.shared_folder import _ROOM_BYTES
from server.process.workers import _MARGIN_SECONDS, SHUTDOWN_SECONDS, STALLED_SECONDS
from server.settings_parsing import SettingsError
from server.worker.app import BATCHES_PER_PREDICTION
from tests import kustomize, needs
from tests.deploy.manifests import (
    BUNDLES,
    KSERVE,
    KUBERNETES,
    NEWEST,
    OLDEST,
    OLDEST_WITH_IMAGE_VOLUMES,
    OVERLAYS,
    composed,
    environment,
    pods,
    problem,
    rendered,
    servers,
    size,
    stateful_set,
    values_of,
)
from tests.market import ROOT

ALL = (*OVERLAYS, *KSERVE)
LABELS = {"app.kubernetes.io/name": "reversal"}
# What the Pod Security Standard `restricted` allows.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
# Resident MiB of the keeper, of the manager and of a worker (docs/tracing.md, docs/monitoring.md).
KEEPER, MANAGER, WORKER = 90, 30, 93
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> tuple[kustomize.Object, ...]:
    return rendered(request.param)


@pytest.mark.parametrize("name", ALL)
def test_they_are_rendered_as_by_kubectl(name: str) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    version = subprocess.run([kubectl, "version", "--client", "--output=json"], capture_output=True, check=True).stdout
    if not json.loads(version).get("kustomizeVersion", "").startswith("v5."):
        pytest.skip("kubectl has no kustomize 5: take a release of 1.27 or later")
    found = subprocess.run([kubectl, "kustomize", str(KUBERNETES / name)], capture_output=True, check=True, text=True)
    theirs = [msgspec.yaml.decode(part) for part in found.stdout.split("\n---\n")]
    assert kustomize.named(theirs) == kustomize.named(list(rendered(name)))


def test_what_the_tests_cannot_render_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: []\nnamePrefix: other-\n")
    with pytest.raises(ValueError, match="cannot render namePrefix"):
        kustomize.render(tmp_path)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", ALL)
def test_every_object_has_the_published_schema(name: str, version: str) -> None:
    for each in rendered(name):
        assert problem(each, version) is None, each["kind"]


@pytest.mark.parametrize("version", [OLDEST_WITH_IMAGE_VOLUMES, NEWEST])
def test_every_component_has_the_published_schema(tmp_path: Path, version: str) -> None:
    for name in (*BUNDLES, "monitoring", "tracing"):
        for each in composed(tmp_path, name):
            assert problem(each, version) is None, (name, each["kind"])


def test_a_field_that_does_not_exist_is_a_problem() -> None:
    kinds = set()
    for name in ALL:
        for each in rendered(name):
            changed = copy.deepcopy(each)
            changed.setdefault("spec" if each["kind"] != "ServiceAccount" else "metadata", {})["mistyped"] = 1
            assert "mistyped" in str(problem(changed)), each["kind"]
            kinds.add(each["kind"])
    assert {"StatefulSet", "HorizontalPodAutoscaler", "ServiceMonitor", "PrometheusRule", "InferenceService"} <= kinds


@pytest.mark.parametrize("name", ALL)
def test_every_variable_is_a_setting_with_a_valid_value(name: str, tmp_path: Path) -> None:
    tracing = "components/tracing/stateful-set.yaml"
    for container, _ in (*servers(rendered(name)), *servers(kustomize.objects(KUBERNETES / tracing))):
        given = environment(container)
        known = {each.variable for each in settings.SETTINGS}
        assert {each for each in given if each not in known} <= {"OTEL_EXPORTER_OTLP_ENDPOINT"}
        if "REVERSAL_STATE_URL" in given and given["REVERSAL_STATE_URL"] == "reversal-database/url":
            given["REVERSAL_STATE_URL"] = "postgresql://reversal:password@postgresql/reversal"
        for variable in ("REVERSAL_MODELS", "REVERSAL_API_TOKEN_FILE", "REVERSAL_ADMIN_TOKEN_FILE"):
            if variable in given:
                place = tmp_path / given[variable].lstrip("/")
                if variable == "REVERSAL_MODELS":
                    place.mkdir(parents=True, exist_ok=True)
                else:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_text("ops:a-token-of-the-tests-0001\n")
                given[variable] = str(place)
        assert settings.read([], given).host in {"0.0.0.0", "127.0.0.1"}  # noqa: S104 - in a pod of its own


def test_the_variables_that_kubernetes_makes_of_a_service_do_not_reach_the_server() -> None:
    with pytest.raises(SettingsError, match="REVERSAL_PORT"):
        settings.read([], {"REVERSAL_PORT": "tcp://10.0.0.1:8000"})  # of the Service `reversal`
    for name in OVERLAYS:
        assert stateful_set(rendered(name))["spec"]["template"]["spec"]["enableServiceLinks"] is False
    for name in KSERVE:
        for container, _ in servers(rendered(name)):
            assert "REVERSAL_PORT" in environment(container)


@pytest.mark.parametrize("name", ALL)
def test_every_port_is_that_on_which_the_server_listens(name: str) -> None:
    found = rendered(name)
    for container, _ in servers(found):
        (port,) = container["ports"]
        assert str(port["containerPort"]) == environment(container)["REVERSAL_PORT"]
        known = {port.get("name"), port["containerPort"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe in container:
                assert container[probe]["httpGet"]["port"] in known
    for service in (each for each in found if each["kind"] == "Service" and "selector" in each["spec"]):
        assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    for policy in (each for each in found if each["kind"] == "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", ()):
            assert [port["port"] for port in rule["ports"]] == ["http"]


@pytest.mark.parametrize("name", ALL)
def test_probes_ask_endpoints_that_need_no_token(name: str) -> None:
    open_ones = {each.path for each in ENDPOINTS if each.method == "GET" and each.level == Level.OPEN}
    for container, _ in servers(rendered(name)):
        paths = {key: value["httpGet"]["path"] for key, value in container.items() if key.endswith("Probe")}
        assert set(paths.values()) <= open_ones
        assert paths["readinessProbe"] in {"/readyz", "/v2/health/ready"}
        # What only says whether the process lives: a degraded server, or one without a version, must not be killed.
        assert {value for key, value in paths.items() if key != "readinessProbe"} <= {"/livez", "/v2/health/live"}


@pytest.mark.parametrize("name", ALL)
def test_the_server_has_the_time_to_mend_itself_before_it_is_killed(name: str) -> None:
    for container, _ in servers(rendered(name)):
        probe = container["livenessProbe"]
        assert (probe["failureThreshold"] - 1) * probe["periodSeconds"] > STALLED_SECONDS + 10
        # A start with broken bundles takes 7 s for each.
        first, seconds = ("startupProbe", 120) if "startupProbe" in container else ("livenessProbe", 60)
        assert container[first]["failureThreshold"] * container[first]["periodSeconds"] >= seconds


@pytest.mark.parametrize("name", ALL)
def test_a_stop_fits_into_the_grace_period(name: str) -> None:
    for container, pod in servers(rendered(name)):
        grace = int(environment(container)["REVERSAL_GRACE_SECONDS"])
        readiness = container["readinessProbe"]
        noticed = readiness["periodSeconds"] * readiness["failureThreshold"] + readiness["timeoutSeconds"]
        # One server alone has no other that could take over meanwhile.
        assert grace > noticed or (name == "overlays/single" and grace <= 1)
        if "lifecycle" in container:
            before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
            # A third of the period is left to drain the journals.
            stop = before + grace + SHUTDOWN_SECONDS + _MARGIN_SECONDS
            assert stop <= pod["terminationGracePeriodSeconds"] * 2 / 3


def test_kserve_s_pods_have_the_same_grace_period() -> None:
    (service,) = (each for each in rendered("kserve/standard") if each["kind"] == "InferenceService")
    periods = [*values_of(service, "terminationGracePeriodSeconds")]
    assert periods == [60, 60]
    pod = stateful_set(rendered("overlays/single"))["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 60


def test_selectors_select_the_pods(overlay: tuple[kustomize.Object, ...]) -> None:
    found = kustomize.named(list(overlay))
    replicas = stateful_set(overlay)
    labels = replicas["spec"]["template"]["metadata"]["labels"]
    assert labels == replicas["spec"]["selector"]["matchLabels"] == LABELS
    governing = found["Service", replicas["spec"]["serviceName"]]["spec"]
    assert governing["clusterIP"] == "None"
    for each in overlay:
        spec = each.get("spec", {})
        match each["kind"]:
            case "Service":
                assert spec.get("selector", LABELS) == LABELS
            case "NetworkPolicy":
                assert spec["podSelector"] == {"matchLabels": LABELS}
            case "PodDisruptionBudget":
                assert spec["selector"] == {"matchLabels": LABELS}
            case "HorizontalPodAutoscaler":
                assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "reversal"}
                assert "replicas" not in replicas["spec"]
            case "EndpointSlice":
                service = found["Service", each["metadata"]["labels"]["kubernetes.io/service-name"]]
                assert service["spec"]["ports"] == each["ports"]
    for spread in replicas["spec"]["template"]["spec"].get("topologySpreadConstraints", ()):
        assert spread["labelSelector"] == {"matchLabels": LABELS}


def test_one_replica_has_sqlite_and_several_share_postgresql() -> None:
    single, replicated = (stateful_set(rendered(name)) for name in OVERLAYS)
    url = environment(single["spec"]["template"]["spec"]["containers"][0])["REVERSAL_STATE_URL"]
    assert url.startswith("sqlite:////var/lib/reversal/")
    assert single["spec"]["replicas"] == 1
    url = environment(replicated["spec"]["template"]["spec"]["containers"][0])["REVERSAL_STATE_URL"]
    assert url == "reversal-database/url"
    (autoscaler,) = (each for each in rendered("overlays/replicated") if each["kind"] == "HorizontalPodAutoscaler")
    (budget,) = (each for each in rendered("overlays/replicated") if each["kind"] == "PodDisruptionBudget")
    # While a node is drained and an update replaces another replica, one is left.
    assert autoscaler["spec"]["minReplicas"] >= budget["spec"]["maxUnavailable"] + 2


@pytest.mark.parametrize("name", ALL)
def test_what_the_server_writes_is_on_volumes(name: str) -> None:
    found = rendered(name)
    for container, pod in servers(found):
        given = environment(container)
        mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
        volumes = {each["name"] for each in pod["volumes"]}
        claims = {each["metadata"]["name"] for each in values_of(found, "volumeClaimTemplates") for each in each}
        assert {each["name"] for each in mounts.values()} <= volumes | claims
        assert mounts["/var/lib/reversal"].get("readOnly") is None
        for variable in ("REVERSAL_JOURNALS", "REVERSAL_AUDIT"):
            assert given[variable].startswith("/var/lib/reversal/")
        assert "/tmp" in mounts  # noqa: S108 - a volume of the pod
        for variable in ("REVERSAL_API_TOKEN_FILE", "REVERSAL_ADMIN_TOKEN_FILE"):
            mount = mounts[str(Path(given[variable]).parent)]
            assert mount["readOnly"]
            assert "subPath" not in mount
        if given["REVERSAL_MODELS"] != "/mnt/models":  # KServe mounts it
            assert mounts[given["REVERSAL_MODELS"]]["readOnly"]


def test_journals_fit_into_their_volume(overlay: tuple[kustomize.Object, ...]) -> None:
    (claim,) = stateful_set(overlay)["spec"]["volumeClaimTemplates"]
    bound = settings.read([], {}).journals_mib << 20
    assert size(claim["spec"]["resources"]["requests"]["storage"]) >= 3 * bound
    for _, pod in servers(rendered("kserve/base")):
        (volume,) = (each for each in pod["volumes"] if each["name"] == "state")
        assert size(volume["emptyDir"]["sizeLimit"]) >= 2 * bound
    # A replica that goes away may leave records behind.
    policy = stateful_set(overlay)["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert policy == {"whenDeleted": "Retain", "whenScaled": "Retain"}


@pytest.mark.parametrize("name", ALL)
def test_resources_are_those_of_the_workers(name: str) -> None:
    for container, pod in servers(rendered(name)):
        workers = int(environment(container)["REVERSAL_WORKERS"])
        resources = container["resources"]
        assert resources["requests"]["cpu"] == str(workers)
        assert "cpu" not in resources["limits"]
        (shared,) = (each["emptyDir"] for each in pod["volumes"] if each["name"] == "shm")
        assert shared["medium"] == "Memory"
        # What is in it counts as memory of the pod. With less room the server would take /tmp.
        assert size(shared["sizeLimit"]) >= 2 * _ROOM_BYTES
        bodies = settings.read([], {}).max_in_flight * BATCHES_PER_PREDICTION * sizes.BATCH
        # A reload has old and new workers at once.
        most = (KEEPER + MANAGER + 2 * workers * WORKER << 20) + workers * bodies + size(shared["sizeLimit"])
        assert size(resources["limits"]["memory"]) >= 1.2 * most
        assert size(resources["requests"]["memory"]) >= KEEPER + MANAGER + workers * WORKER << 20


@pytest.mark.parametrize("name", [*ALL, *BUNDLES])
def test_pods_are_restricted(name: str, tmp_path: Path) -> None:
    found = rendered(name) if name in ALL else composed(tmp_path, name)
    for pod in pods(found):
        for container in kustomize.containers(pod):
            context = pod.get("securityContext", {}) | container["securityContext"]
            assert context["runAsNonRoot"]
            assert context["runAsUser"] == 10001
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}
            assert context["readOnlyRootFilesystem"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
        kinds = {kind for volume in pod["volumes"] for kind in volume.keys() - {"name"}}
        image = {"image"} if name == "bundles-image" else set()
        assert kinds - image <= VOLUMES
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for namespace in (each for each in found if each["kind"] == "Namespace"):
        level = "baseline" if name == "bundles-image" else "restricted"
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == level


def test_the_account_has_no_token(overlay: tuple[kustomize.Object, ...]) -> None:
    account = kustomize.named(list(overlay))["ServiceAccount", "reversal"]
    pod = stateful_set(overlay)["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "reversal"
    assert account["automountServiceAccountToken"] is pod["automountServiceAccountToken"] is False
    assert not {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} & {each["kind"] for each in overlay}


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_are_where_the_server_reads_them(name: str, tmp_path: Path) -> None:
    pod = stateful_set(composed(tmp_path, name))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "bundles")
    assert mount == {"name": "bundles", "mountPath": environment(container)["REVERSAL_MODELS"], "readOnly": True}
    assert f"components/{name}" in PAGE
    for start in pod.get("initContainers", ()):
        assert start["command"][-1] == f"{start['volumeMounts'][0]['mountPath']}/"


def test_secrets_and_images_are_documented() -> None:
    for name in ALL:
        found = rendered(name)
        names = {*values_of(found, "secretName")}
        names |= {each["name"] for key in ("secretKeyRef", "credentials") for each in values_of(found, key)}
        for each in names:
            assert f"create secret generic {each} " in PAGE, each
        images = {container["image"] for container, _ in servers(found)}
        assert images == {f"registry.example/reversal:{VERSION}"}


def test_the_files_of_secrets_are_the_operators_and_the_token_has_no_end_of_line(tmp_path: Path) -> None:
    (commands,) = re.findall(r"(?s)## Secrets\n\n```sh\n(.*?)```", PAGE)
    script = "set -e\numask 022\nkubectl() { :; }\n" + commands
    subprocess.run([needs.program("bash", "bash"), "-c", script], cwd=tmp_path, check=True)
    assert {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == dict.fromkeys(
        ("admin", "api", "token"), 0o600
    )
    token = (tmp_path / "token").read_text()
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert (tmp_path / "api").read_text().splitlines()[1:] == [f"prometheus:{token}"]


def test_the_page_names_what_exists() -> None:
    for name in (*OVERLAYS, *KSERVE, *(f"components/{each}" for each in (*BUNDLES, "monitoring", "tracing"))):
        assert (KUBERNETES / name / "kustomization.yaml").exists()
    assert {f"overlays/{path.name}" for path in (KUBERNETES / "overlays").iterdir()} == set(OVERLAYS)
    assert {f"kserve/{path.name}" for path in (KUBERNETES / "kserve").iterdir()} == set(KSERVE)
