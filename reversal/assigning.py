"""The variant of a user, computed as the service computes it."""

from __future__ import annotations

from numbers import Integral

import msgspec

from core.errors import InvalidInput
from core.experiments.assignment import assign as assigned
from core.experiments.experiment import Experiment, ExperimentId, Share, Variant
from server.api.schemas.predictions import MAX_USER_ID


def assign(user: str | int, experiment: str, traffic_split: float = 0.5, block: str = "") -> Variant:
    """A or B: assignment version 1 (docs/experiments.md).

    experiment: its id. traffic_split: the share of A. block: only in crossover mode, of
    core.experiments.assignment.block_of. Raises InvalidInput for what the service would refuse.
    """
    text = str(user)
    if isinstance(user, bool) or not isinstance(user, str | Integral) or not 1 <= len(text) <= MAX_USER_ID:
        raise InvalidInput.at(
            "user", f"must be a text of 1 to {MAX_USER_ID} characters or an integer, not {user!r:.60}"
        )
    if not text.isascii() and text != text.encode(errors="replace").decode():
        raise InvalidInput.at("user", "cannot be written in UTF-8")
    if not _fits(experiment, ExperimentId):
        message = f"must be 1 to 64 letters, digits, `_`, `.` or `-`, with no `.` first; not {experiment!r:.60}"
        raise InvalidInput.at("experiment", message)
    if not _fits(traffic_split, Share):
        raise InvalidInput.at("traffic_split", f"must be a number from 0 to 1, not {traffic_split!r:.60}")
    named = Experiment(
        experiment_id=experiment, name="", variant_a="a", variant_b="b", traffic_split=traffic_split, created_at=0
    )
    return assigned(text, named, block)


def _fits(value: object, kind: object) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
