"""The rows of the page about replays are those of the report."""

from __future__ import annotations

import pytest

from benchmarks import replay
from benchmarks.report import MARKED
from core.bundles.repository import Repository
from core.inference.detector import Detector
from core.replay.choices import Choices
from core.replay.replaying import replay as replay_all
from tests.core.replay.markets import market
from tests.market import ONNX, ROOT


@pytest.fixture(scope="module")
def report() -> dict[str, object]:
    detectors = {version: Detector(Repository(ONNX).read(version)) for version in ("v3.0", "v3.1")}
    markets = [market(700, pair, seed=seed) for seed, pair in enumerate(("EUR/USD", "USD/JPY"))]
    return replay_all(markets, detectors, Choices(draws=20)).report


def test_the_rows_have_the_columns_of_the_page(report: dict[str, object]) -> None:
    page = (ROOT / "docs" / "replay.md").read_text()
    columns = {
        match[2]: [each.partition(" as ")[0] for each in (match[3] or "").split(", ")]
        for match in MARKED.finditer(page)
    }
    for name, rows in (
        ("replay.verdict", replay.verdicts(report)),
        ("replay.figures", replay.figures(report)),
        ("replay.parts", replay.parts(report)),
    ):
        assert list(rows[0]) == columns[name]
    assert [row["what"] for row in replay.parts(report)][:2] == ["EUR/USD", "USD/JPY"]
    assert [row["verdict"] for row in replay.verdicts(report)][:1] == ["not yet"]
    (asked,) = replay.asked(report)
    assert (asked["A"], asked["B"], asked["candles"]) == ("v3.0", "v3.1", 1_400)
