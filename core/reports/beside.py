"""The verdict's sentence if an active experiment has no prediction although predictions are asked for."""

from __future__ import annotations

from collections.abc import Mapping

from core.experiments.candle_table import BesideTotals, Tally
from core.experiments.experiment import Experiment, Variant
from core.statistics.verdict import Verdict


def explained(
    verdict: Verdict, experiment: Experiment, tallies: Mapping[Variant, Tally], beside: BesideTotals
) -> Verdict:
    """The verdict, with the reasons and what to change as its sentence if the experiment can have no prediction."""
    recorded = sum(tally.predictions + tally.fallbacks + tally.unrecorded for tally in tallies.values())
    refused = sum(tally.refused for tally in tallies.values())
    if experiment.status == "draft" or recorded:
        return verdict
    reasons, remedies = [], []
    if beside.without_user:
        reasons.append(f"{_requests(beside.without_user)} named no user_id")
        remedies.append("send `user_id`")
    if beside.named_version:
        reasons.append(f"{_requests(beside.named_version)} named a version")
        remedies.append("leave out `version`")
    if refused:
        reasons.append(
            f"{_requests(refused)} {'was' if refused == 1 else 'were'} refused by the variant's version alone"
        )
        remedies.append("send what both versions need")
    if not reasons:
        return verdict
    return Verdict(
        verdict.word, f"no prediction belongs to the experiment: {', '.join(reasons)}; {' and '.join(remedies)}"
    )


def _requests(count: int) -> str:
    return f"{count:,} request{'' if count == 1 else 's'}"
