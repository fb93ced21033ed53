"""The rules for Prometheus: valid, tested one by one, documented, and about metrics and codes that exist."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.monitoring import PROMETHEUS, metric_names, rules
from core.inference.warnings import CODES
from server.http.errors import STATUS
from server.keeper.metrics import KeeperMetrics
from server.worker.metrics import Metrics
from tests.market import ROOT
from tests.prometheus import promtool

ALERTS = [rule for rule in rules() if rule.is_alert]
# What Prometheus itself has.
OF_PROMETHEUS = {"up", "ALERTS"}


def declared() -> set[str]:
    """The names of all series that a server can have, also those that appear after an event."""
    found = set()
    for registry in (Metrics().registry, KeeperMetrics().registry):
        for family in registry.collect():
            if family.type == "counter":
                found.add(f"{family.name}_total")
            elif family.type == "histogram":
                found |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
            else:
                found.add(family.name)
    return found


def test_the_configuration_and_its_rules_are_valid() -> None:
    code, output = promtool("check", "config", "prometheus.yml", folder=PROMETHEUS)
    assert code == 0, output
    assert f"{len(ALERTS)} rules found" in output
    code, output = promtool("check", "rules", "--lint-fatal", "recording.yml", "alerts.yml", folder=PROMETHEUS)
    assert code == 0, output


def test_each_alert_fires_when_it_should_and_not_otherwise() -> None:
    code, output = promtool("test", "rules", "alerts.test.yml", folder=PROMETHEUS)
    assert code == 0, output


def test_every_alert_is_expected_to_fire_in_its_tests() -> None:
    tests = msgspec.yaml.decode((PROMETHEUS / "alerts.test.yml").read_bytes())["tests"]
    samples = [sample for test in tests for case in test["promql_expr_test"] for sample in case["exp_samples"]]
    expected = re.findall(r'alertname="(\w+)"', str(samples))
    assert set(expected) == {alert.name for alert in ALERTS}


@pytest.mark.parametrize("expr", ["vector(0) > 1", "vector(1)"], ids=["never fires", "always fires"])
def test_the_tests_of_the_alerts_notice_a_broken_alert(tmp_path: Path, expr: str) -> None:
    for name in ("recording.yml", "alerts.test.yml"):
        shutil.copy(PROMETHEUS / name, tmp_path)
    changed: dict[str, Any] = msgspec.yaml.decode((PROMETHEUS / "alerts.yml").read_bytes())
    changed["groups"][0]["rules"][0]["expr"] = expr
    (tmp_path / "alerts.yml").write_bytes(msgspec.yaml.encode(changed))
    code, output = promtool("test", "rules", "alerts.test.yml", folder=tmp_path)
    assert code == 1, output
    assert "ReversalSlow" in output


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_every_metric_of_a_rule_exists(rule: Any) -> None:  # noqa: ANN401 - a Rule
    recorded = {each.name for each in rules() if not each.is_alert}
    names = metric_names(rule.expr)
    assert names
    assert names <= declared() | recorded | OF_PROMETHEUS


def test_every_code_of_a_rule_exists() -> None:
    for rule in rules():
        for codes in re.findall(r'code[!=]~"([^"]*)"', rule.expr):
            known = set(CODES) if "warnings" in rule.expr else set(STATUS)
            assert set(codes.split("|")) <= known, rule.name


def test_an_unknown_code_is_a_failure_or_a_refusal() -> None:
    by_name = {rule.name: rule.expr for rule in rules()}
    (failures,) = re.findall(r'code=~"([^"]*)"', by_name["instance:reversal_failures:rate5m"])
    (refusals,) = re.findall(r'code!~"([^"]*)"', by_name["instance:reversal_refusals:count1h"])
    assert failures == refusals
    of_the_service = {code for code, status in STATUS.items() if status >= 500 and status != 505}
    assert set(failures.split("|")) == of_the_service


def test_every_alert_is_documented_and_says_where() -> None:
    groups = msgspec.yaml.decode((PROMETHEUS / "alerts.yml").read_bytes())["groups"]
    alerts = {rule["alert"]: rule for group in groups for rule in group["rules"]}
    assert set(alerts) == {alert.name for alert in ALERTS}
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "alerts.md").read_text(), re.MULTILINE)
    assert headings == list(alerts)
    for name, alert in alerts.items():
        assert alert["annotations"]["runbook"] == f"docs/alerts.md#{name.lower()}"
        assert alert["labels"]["severity"] in {"page", "ticket"}


@pytest.mark.parametrize(
    ("expr", "names"),
    [
        (
            'sum by (job, code) (rate(a_total{job="by", x=~"b|c"}[5m])) / on (job) group_left () b:c:rate5m',
            "a_total b:c:rate5m",
        ),
        ("a unless a offset 1h > 10 and on (x) (up == 0) or vector(1)", "a up"),
        ("histogram_quantile(0.99, sum by (le) (rate(a_bucket[$__rate_interval]))) > 2e9", "a_bucket"),
        ("max_over_time(a[1h]) < 64 * 1024 and NaN", "a"),
        ("count(count by (a) (b > 0)) > bool 1", "b"),
    ],
)
def test_the_names_of_metrics_are_found_in_an_expression(expr: str, names: str) -> None:
    assert metric_names(expr) == set(names.split())
