from __future__ import annotations

from pathlib import Path

from benchmarks import curve


def test_the_same_figures_give_the_same_picture(tmp_path: Path) -> None:
    points = [{"asked_per_second": rate, "p50": 0.2 + rate / 1e4, "p99": 0.5 + rate / 1e3} for rate in (100, 200, 400)]
    pictures = []
    for name in ("one.svg", "other.svg"):
        curve.draw({"features": points, "120 candles": points[:2]}, tmp_path / name)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    assert b"features, p99" in pictures[0]
