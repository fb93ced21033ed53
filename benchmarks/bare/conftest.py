"""Tells pytest-benchmark what the figures belong to."""

from __future__ import annotations

from typing import Any

from benchmarks.machine import machine


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """What all other results say of it, too."""
    machine_info |= machine()
