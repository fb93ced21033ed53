"""Write deploy/prometheus' rules once more, as the object that the Prometheus operator reads.

Usage: python -m tools.prometheus_rule
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
SOURCES = tuple(ROOT / "deploy" / "prometheus" / name for name in ("recording.yml", "alerts.yml"))
TARGET = ROOT / "deploy" / "kubernetes" / "components" / "monitoring" / "rules.yaml"
_HEAD = "# Made from deploy/prometheus by `python -m tools.prometheus_rule`. Change it there.\n"


def prometheus_rule() -> dict[str, Any]:
    """Return the object: the groups of all files, in their order."""
    groups: list[Any] = []
    for source in SOURCES:
        groups += msgspec.yaml.decode(source.read_bytes())["groups"]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "reversal", "labels": {"app.kubernetes.io/name": "reversal"}},
        "spec": {"groups": groups},
    }


def text() -> str:
    """Return the content of the file."""
    return _HEAD + msgspec.yaml.encode(prometheus_rule()).decode()


if __name__ == "__main__":
    TARGET.write_text(text())
