"""Experiments: what they compare, and their life cycle from draft to active to stopped."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from core.bundles.manifest import VersionName
from core.errors import Conflict, InvalidInput
from core.experiments.label_rule import LabelRule

Variant: TypeAlias = Literal["A", "B"]
VARIANTS: tuple[Variant, Variant] = ("A", "B")
# split: each user gets one variant. crossover: each user gets another variant from time to time, and is compared with
# itself. shadow: A answers, and B is computed for the same input.
Mode: TypeAlias = Literal["split", "crossover", "shadow"]
Status: TypeAlias = Literal["draft", "active", "stopped"]
# The verdict is about the difference B - A of one of these metrics.
Metric: TypeAlias = Literal["win_rate", "mean_pnl"]
ExperimentId: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}\Z")]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
# An instant in microseconds since 1970, UTC.
Micros: TypeAlias = int


def now_micros() -> Micros:
    """The current time."""
    return time.time_ns() // 1000


def iso(instant: Micros) -> str:
    """An instant in UTC with `Z`, and with its fraction of a second if it has one."""
    seconds, micros = divmod(instant, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros, tzinfo=None).isoformat() + "Z"


# Defaults: 2 percentage points of win rate, half a pip of mean P&L. Smaller differences are of no interest, and the
# verdict on them can be "no difference larger than ...".
MINIMUM_EFFECT: dict[Metric, float] = {"win_rate": 0.02, "mean_pnl": 0.5}


class Guardrails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Limits for each variant. The experiment stops when it is statistically certain that one is crossed."""

    max_error_rate: Share | None = None
    max_fallback_rate: Share | None = None
    max_p99_ms: Annotated[float, Meta(gt=0)] | None = None
    min_hold_rate: Share | None = None
    max_hold_rate: Share | None = None
    min_win_rate: Share | None = None
    min_mean_pnl: Annotated[float, Meta(ge=-1e6, le=1e6)] | None = None


class ImportedCounts(msgspec.Struct, frozen=True):
    """The totals that the old service counted for a variant; it did not store single predictions."""

    count: Annotated[int, Meta(ge=0)]
    signals: dict[str, Annotated[int, Meta(ge=0)]]
    total_confidence: Annotated[float, Meta(ge=0)]


class ChosenRule(msgspec.Struct, frozen=True):
    """A rule that `evaluate` chose for an experiment.

    timeframe: of the candles in that call. chosen_by: the name of the caller's token; null if it is unknown.
    """

    rule: LabelRule
    timeframe: str
    chosen_at: Micros
    chosen_by: str | None = None


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of two versions. `traffic_split` is A's share of the users, in crossover mode of their blocks.

    At `stop_at` an active experiment is stopped.
    digests: those of the bundles at activation (see core.bundles.bundle). A variant whose bundle could not be read then
    has none, nor has an experiment that was imported, or activated by an older release.
    label_rules: the rules that `evaluate` has chosen, oldest first; the last one holds. Only Store.choose_rule changes
    them. The experiment of a State has none, because workers do not need them.
    """

    experiment_id: ExperimentId
    name: str
    description: str = ""
    owner: str = ""
    variant_a: VersionName
    variant_b: VersionName
    traffic_split: Share
    mode: Mode = "split"
    metric: Metric = "win_rate"
    minimum_effect: Annotated[float, Meta(gt=0)] = MINIMUM_EFFECT["win_rate"]
    guardrails: Guardrails = Guardrails()
    stop_at: Micros | None = None
    status: Status = "draft"
    created_at: Micros
    activated_at: Micros | None = None
    stopped_at: Micros | None = None
    stop_reason: str | None = None
    imported: dict[Variant, ImportedCounts] | None = None
    digests: dict[Variant, str] | None = None
    label_rules: tuple[ChosenRule, ...] = ()

    def __post_init__(self) -> None:
        """Raise InvalidInput if both variants are the same version.

        The old service allowed it. Such an experiment is imported as stopped, so that its counts are kept.
        """
        if self.variant_a == self.variant_b and (self.imported is None or self.status != "stopped"):
            raise InvalidInput.at("variant_b", f"must not be the version of variant_a, {self.variant_a}")

    def version_of(self, variant: Variant) -> str:
        """The version that a variant uses."""
        return self.variant_a if variant == "A" else self.variant_b

    @property
    def versions(self) -> tuple[str, str]:
        """The versions of A and B."""
        return self.variant_a, self.variant_b

    @property
    def label_rule(self) -> LabelRule | None:
        """The rule of its labels; None if nothing was evaluated yet."""
        return self.label_rules[-1].rule if self.label_rules else None

    def digest_of(self, version: str) -> str | None:
        """The digest of a version's bundle at activation; None if it is unknown, or if no variant is that version."""
        known = self.digests or {}
        return next((known.get(variant) for variant in VARIANTS if self.version_of(variant) == version), None)

    def activated(self, now: Micros, digests: dict[Variant, str] | None = None) -> Experiment:
        """The experiment with status active. An active experiment is returned unchanged.

        Raises Conflict for a stopped experiment, because its numbers would mix two runs, and for a draft whose
        `stop_at` has passed.
        """
        if self.status == "stopped":
            raise Conflict(f"experiment {self.experiment_id} is stopped and cannot be restarted; create a new one")
        if self.status == "active":
            return self
        if self.is_due(now):
            passed = f"cannot be activated: its stop_at {iso(self.stop_at or 0)} has passed"
            raise Conflict(f"experiment {self.experiment_id} {passed}; create a new one with a later stop_at")
        return msgspec.structs.replace(self, status="active", activated_at=now, digests=digests)

    def is_due(self, now: Micros) -> bool:
        """Whether its `stop_at` has been reached."""
        return self.stop_at is not None and self.stop_at <= now

    def stopped(self, now: Micros, reason: str) -> Experiment:
        """The experiment with status stopped; a stopped one is returned unchanged. Raises Conflict for a draft."""
        if self.status == "draft":
            raise Conflict(f"experiment {self.experiment_id} is a draft; only an active experiment can be stopped")
        if self.status == "stopped":
            return self
        return msgspec.structs.replace(self, status="stopped", stopped_at=now, stop_reason=reason)
