"""What deploy/ asks Prometheus: the queries of the dashboard, the rules, and the names of the metrics in them."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import msgspec

from benchmarks.machine import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "reversal.json"
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = ("recording.yml", "alerts.yml")
# Names in PromQL that are no metric. Functions and aggregations are followed by a parenthesis.
_WORDS = frozenset({"and", "bool", "by", "group_left", "group_right", "ignoring", "offset", "on", "or", "unless",
                    "without", "inf", "nan"})  # fmt: skip
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_SELECTED = re.compile(r"\{[^}]*\}|\[[^]]*\]")
_GROUPED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])")


class Query(NamedTuple):
    """A query of a panel.

    title: the panel's. legend: how the dashboard names each series. unit: as Grafana names it.
    """

    title: str
    legend: str
    expr: str
    unit: str
    limit: float | None


class Rule(NamedTuple):
    """A rule: an alert, or the name of a recorded series."""

    name: str
    expr: str
    is_alert: bool


def panels() -> list[dict[str, Any]]:
    """Return the dashboard's panels, without the rows that group them."""
    found = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def queries() -> list[Query]:
    """Return all queries of the dashboard, in its order."""
    found = []
    for panel in panels():
        defaults = panel["fieldConfig"]["defaults"]
        limits = [step["value"] for step in defaults["thresholds"]["steps"] if step["value"] is not None]
        for target in panel["targets"]:
            limit = limits[0] if limits else None
            found.append(Query(panel["title"], target["legendFormat"], target["expr"], defaults["unit"], limit))
    return found


def rules() -> list[Rule]:
    """Return all rules, those that record before the alerts."""
    found = []
    for name in RULES:
        for group in msgspec.yaml.decode((PROMETHEUS / name).read_bytes())["groups"]:
            found += [
                Rule(rule.get("alert") or rule["record"], rule["expr"], "alert" in rule) for rule in group["rules"]
            ]
    return found


def metric_names(expr: str) -> set[str]:
    """Return the names of the metrics in an expression of PromQL, with those of recorded series."""
    for what in (_STRING, _SELECTED, _GROUPED):
        expr = what.sub(" ", expr)
    return {name for name in _NAME.findall(expr) if name.lower() not in _WORDS}
