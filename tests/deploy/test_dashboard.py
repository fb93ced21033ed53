"""The Grafana dashboard: valid, about metrics that exist, and answered by a real Prometheus from a loaded server."""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from benchmarks import dashboard_queries, servers
from benchmarks.dashboard_queries import WAITING, Prometheus
from benchmarks.monitoring import DASHBOARD, Query, metric_names, panels, queries, rules
from tests import needs
from tests.market import ROOT
from tests.prometheus import MISSING
from tests.waiting import wait_until

pytestmark = pytest.mark.serial

RECORDED = {rule.name for rule in rules() if not rule.is_alert}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def test_panels_have_their_own_ids_and_places() -> None:
    every = dashboard()["panels"]
    ids = [panel["id"] for panel in every]
    assert len(set(ids)) == len(ids)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in every)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_it_suits_any_grafana() -> None:
    text = DASHBOARD.read_text()
    assert "://" not in text
    variable = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        assert panel["datasource"] == variable
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0
        assert all(target["datasource"] == variable for target in panel["targets"])
    names = {each["name"]: each["type"] for each in dashboard()["templating"]["list"]}
    assert names["datasource"] == "datasource"
    assert set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval", "__all"} == set(names)


def test_the_promises_have_a_panel_with_their_limit() -> None:
    limits = {query.title: query.limit for query in reversed(queries())}
    assert limits["99th percentile"] == 0.5
    assert limits["Failures"] == 0.01
    assert limits["Mean confidence, 1 h"] == 0.6
    assert limits["Stage 1's recall"] == 0.7
    assert limits["Memory"] == 2e9
    assert limits["Load of a version"] == 10


def test_the_provisioned_folder_and_source_are_those_of_the_documents() -> None:
    folder = ROOT / "deploy" / "grafana" / "provisioning"
    (source,) = msgspec.yaml.decode((folder / "datasources" / "prometheus.yml").read_bytes())["datasources"]
    assert source["type"] == "prometheus"
    (provider,) = msgspec.yaml.decode((folder / "dashboards" / "reversal.yml").read_bytes())["providers"]
    assert f"{provider['options']['path'].rpartition('/')[0]}/" in (ROOT / "docs" / "monitoring.md").read_text()


class Loaded(NamedTuple):
    """A server that has been under load, with its metrics as text, and Prometheus if it is installed."""

    text: str
    asked: Prometheus | None
    start: float


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    with servers.server(workers=2) as running:

        def text() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics") as response:
                return str(response.read(), "utf-8")

        start = time.time()
        found = shutil.which("prometheus")
        if found is None:
            dashboard_queries.traffic(running.port, 1.0)
            wait_until(lambda: "reversal_stage1_recall{" in text())  # the keeper reads labels every 10 s
            yield Loaded(text(), None, start)
            return
        with dashboard_queries.prometheus(found, running.port, tmp_path_factory.mktemp("prometheus")) as asked:
            dashboard_queries.traffic(running.port, 1.0)
            dashboard_queries.complete(asked, start)
            yield Loaded(text(), asked, start)


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.title)
def test_every_metric_is_one_of_a_loaded_server(loaded: Loaded, query: Query) -> None:
    there = set(re.findall(r"^(\w+)", loaded.text, re.MULTILINE)) | RECORDED | {"up"}
    missing = metric_names(query.expr) - there
    assert not missing or any(part in query.expr for part in WAITING)


def test_a_real_prometheus_answers_every_query_and_every_rule(loaded: Loaded, tmp_path: Path) -> None:
    if loaded.asked is None:
        needs.missing(MISSING.format("prometheus"))
    found = dashboard_queries.answers(loaded.asked, loaded.start, time.time())
    assert dashboard_queries.problems(loaded.asked, found) == []
    dashboard_queries.draw(found, loaded.start, tmp_path / "one.svg")
    dashboard_queries.draw(found, loaded.start, tmp_path / "other.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
    assert "at most: v3.1 in shadowed" in (tmp_path / "one.svg").read_text()


def test_a_query_without_an_answer_and_an_unhealthy_rule_are_problems(loaded: Loaded) -> None:
    if loaded.asked is None:
        needs.missing(MISSING.format("prometheus"))
    missing = dashboard_queries.Answer(Query("Nothing", "", "reversal_nothing", "short", None), [])
    assert dashboard_queries.problems(loaded.asked, [missing]) == ["no answer: Nothing: reversal_nothing"]
    with pytest.raises(ValueError, match="parse error"):
        loaded.asked.query("sum(")
