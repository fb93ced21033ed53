"""Adds the machine to the results of pytest-benchmark."""

from __future__ import annotations

from typing import Any

from benchmarks.machine import machine


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add the same description of the machine that all other results have."""
    machine_info |= machine()
