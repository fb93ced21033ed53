"""What the manifests for Kubernetes let in and out, and what they tell Prometheus and the autoscaler."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from benchmarks.monitoring import PROMETHEUS, RULES, metric_names, rules
from server.worker.metrics import Metrics
from tests import kustomize
from tests.deploy.manifests import KUBERNETES, OVERLAYS, composed, environment, rendered, stateful_set
from tests.prometheus import promtool
from tools import prometheus_rule

DNS = {("UDP", 53), ("TCP", 53)}


def policies(found: list[kustomize.Object]) -> list[kustomize.Object]:
    return [each["spec"] for each in found if each["kind"] == "NetworkPolicy"]


def egress(found: list[kustomize.Object]) -> list[tuple[dict[str, Any], tuple[str, int]]]:
    """Each target with each port, of all policies."""
    rules = [rule for policy in policies(found) for rule in policy.get("egress", ())]
    return [(to, (port["protocol"], port["port"])) for rule in rules for to in rule["to"] for port in rule["ports"]]


@pytest.mark.parametrize("name", OVERLAYS)
def test_only_the_gateway_and_prometheus_come_in(name: str) -> None:
    found = list(rendered(name))
    assert {kind for policy in policies(found) for kind in policy["policyTypes"]} == {"Ingress", "Egress"}
    sources = [source for policy in policies(found) for rule in policy.get("ingress", ()) for source in rule["from"]]
    names = [source["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for source in sources]
    assert sorted(names) == ["gateway", "monitoring"]


def test_one_server_needs_names_only() -> None:
    targets = egress(list(rendered("overlays/single")))
    assert {port for _, port in targets} == DNS
    assert all(to["podSelector"] for to, _ in targets)


def test_replicas_reach_every_address_of_the_database() -> None:
    found = list(rendered("overlays/replicated"))
    (addresses,) = (each for each in found if each["kind"] == "EndpointSlice")
    (port,) = addresses["ports"]
    networks = [ip_network(to["ipBlock"]["cidr"]) for to, p in egress(found) if p == ("TCP", port["port"])]
    given = [ip_address(address) for endpoint in addresses["endpoints"] for address in endpoint["addresses"]]
    assert given
    for address in given:
        assert any(address in network for network in networks)
    assert sum(network.num_addresses for network in networks) == len(given)
    assert {p for _, p in egress(found)} == DNS | {("TCP", 5432)}


def test_traces_reach_the_collector(tmp_path: Path) -> None:
    found = composed(tmp_path, "tracing")
    (container,) = stateful_set(found)["spec"]["template"]["spec"]["containers"]
    given = environment(container)
    assert given["REVERSAL_TRACING"] == "1"
    url = urlsplit(given["OTEL_EXPORTER_OTLP_ENDPOINT"])
    assert url.hostname is not None
    _, namespace = url.hostname.split(".")
    selected = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    assert (selected, ("TCP", url.port)) in egress(found)


def test_the_operator_has_the_same_rules_as_prometheus() -> None:
    found = kustomize.named(list(rendered("overlays/replicated")))["PrometheusRule", "reversal"]
    files = [msgspec.yaml.decode((PROMETHEUS / name).read_bytes()) for name in RULES]
    assert found["spec"] == {"groups": [group for file in files for group in file["groups"]]}
    assert prometheus_rule.TARGET.read_text() == prometheus_rule.text(), "call python -m tools.prometheus_rule"


def test_replicas_are_scraped_under_the_job_that_the_rules_select() -> None:
    found = list(rendered("overlays/replicated"))
    monitor = kustomize.named(found)["ServiceMonitor", "reversal"]["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    selected = [
        each for each in found if each["kind"] == "Service" and wanted <= each["metadata"].get("labels", {}).items()
    ]
    (service,) = selected  # two would scrape each replica twice
    assert service["metadata"]["name"] == "reversal-replicas"
    assert service["spec"]["publishNotReadyAddresses"]
    job = service["metadata"]["labels"][monitor["jobLabel"]]
    assert all(f'job="{job}"' in rule.expr for rule in rules() if metric_names(rule.expr) - recorded())
    (endpoint,) = monitor["endpoints"]
    assert endpoint["path"] == "/metrics"
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def recorded() -> set[str]:
    return {rule.name for rule in rules() if not rule.is_alert}


def adapter() -> dict[str, Any]:
    (rule,) = msgspec.yaml.decode((KUBERNETES / "prometheus-adapter.yaml").read_bytes())["rules"]["custom"]
    found: dict[str, Any] = rule
    return found


def test_the_autoscaler_s_metric_is_made_from_one_that_exists() -> None:
    scaler = kustomize.named(list(rendered("overlays/replicated")))["HorizontalPodAutoscaler", "reversal"]["spec"]
    (metric,) = scaler["metrics"]
    rule = adapter()
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    (series,) = metric_names(rule["seriesQuery"])
    assert rule["name"]["matches"] == f"^{series}$"
    declared = {sample.name for family in Metrics().registry.collect() for sample in family.samples}
    assert series in declared
    assert set(rule["resources"]["overrides"]) == {"namespace", "pod"}


def test_the_autoscaler_s_metric_is_the_mean_number_of_predictions_in_progress(tmp_path: Path) -> None:
    rule = adapter()
    (series,) = metric_names(rule["seriesQuery"])
    query = rule["metricsQuery"]
    for template, value in (("GroupBy", "pod"), ("Series", series), ("LabelMatchers", 'namespace="n",pod=~"a|b"')):
        query = query.replace(f"<<.{template}>>", value)
    # 1,000 a second of 12 ms, and 100 a second of 30 ms.
    labels = 'job="reversal", namespace="n", pod='
    test = {
        "rule_files": [],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [
                    {"series": f'{series}{{{labels}"a"}}', "values": "0+180x40"},
                    {"series": f'{series}{{{labels}"b"}}', "values": "0+45x40"},
                ],
                "promql_expr_test": [
                    {
                        "expr": query,
                        "eval_time": "5m",
                        "exp_samples": [{"labels": '{pod="a"}', "value": 12}, {"labels": '{pod="b"}', "value": 3}],
                    }
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_bytes(msgspec.yaml.encode(test))
    code, output = promtool("test", "rules", "test.yml", folder=tmp_path)
    assert code == 0, output
