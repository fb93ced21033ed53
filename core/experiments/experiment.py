"""Experiments: what they compare, and their one way from draft over active to stopped."""

from __future__ import annotations

import time
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from core.bundles.manifest import VersionName
from core.errors import Conflict, InvalidInput

Variant: TypeAlias = Literal["A", "B"]
VARIANTS: tuple[Variant, Variant] = ("A", "B")
Mode: TypeAlias = Literal["split", "shadow"]
Status: TypeAlias = Literal["draft", "active", "stopped"]
# What the verdict is about: the difference B - A of one of these.
Metric: TypeAlias = Literal["win_rate", "mean_pnl"]
ExperimentId: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}\Z")]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
# An instant in microseconds since 1970, UTC.
Micros: TypeAlias = int


def now_micros() -> Micros:
    """The present."""
    return time.time_ns() // 1000


# Differences smaller than these are of no interest: the verdict may then be "no difference larger than ...".
# 2 percentage points of win rate; half a pip.
MINIMUM_EFFECT: dict[Metric, float] = {"win_rate": 0.02, "mean_pnl": 0.5}


class Guardrails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits for either variant. One that is crossed with statistical certainty stops the experiment."""

    max_error_rate: Share | None = None
    max_fallback_rate: Share | None = None
    max_p99_ms: Annotated[float, Meta(gt=0)] | None = None
    min_hold_rate: Share | None = None
    max_hold_rate: Share | None = None


class ImportedCounts(msgspec.Struct, frozen=True):
    """What the old service counted for a variant; it kept no single predictions."""

    count: Annotated[int, Meta(ge=0)]
    signals: dict[str, Annotated[int, Meta(ge=0)]]
    total_confidence: Annotated[float, Meta(ge=0)]


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of two versions. `traffic_split` is A's share of the users."""

    experiment_id: ExperimentId
    name: str
    description: str = ""
    variant_a: VersionName
    variant_b: VersionName
    traffic_split: Share
    mode: Mode = "split"
    metric: Metric = "win_rate"
    minimum_effect: Annotated[float, Meta(gt=0)] = MINIMUM_EFFECT["win_rate"]
    guardrails: Guardrails = Guardrails()
    status: Status = "draft"
    created_at: Micros
    activated_at: Micros | None = None
    stopped_at: Micros | None = None
    stop_reason: str | None = None
    imported: dict[Variant, ImportedCounts] | None = None

    def __post_init__(self) -> None:
        """Raise InvalidInput where both variants are the same version: there is nothing to compare."""
        if self.variant_a == self.variant_b:
            raise InvalidInput.at("variant_b", f"the same version as variant_a, {self.variant_a}")

    def version_of(self, variant: Variant) -> str:
        """The version that a variant stands for."""
        return self.variant_a if variant == "A" else self.variant_b

    @property
    def versions(self) -> tuple[str, str]:
        """Those of A and B."""
        return self.variant_a, self.variant_b

    def activated(self, now: Micros) -> Experiment:
        """The same experiment, running. Raises Conflict for one that was stopped: its numbers would be of two runs."""
        if self.status == "stopped":
            raise Conflict(f"experiment {self.experiment_id} was stopped and does not start again: create a new one")
        if self.status == "active":
            return self
        return msgspec.structs.replace(self, status="active", activated_at=now)

    def stopped(self, now: Micros, reason: str) -> Experiment:
        """The same experiment, at its end. Raises Conflict for a draft; one that is stopped stays as it is."""
        if self.status == "draft":
            raise Conflict(f"experiment {self.experiment_id} is a draft: it never ran")
        if self.status == "stopped":
            return self
        return msgspec.structs.replace(self, status="stopped", stopped_at=now, stop_reason=reason)
