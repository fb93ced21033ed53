"""The variant of a user, computed as the service computes it."""

from __future__ import annotations

import msgspec

from core.errors import InvalidInput
from core.experiments.assignment import assign as assigned
from core.experiments.experiment import Experiment, ExperimentId, Share, Variant
from server.api.schemas.predictions import MAX_USER_ID


class _Asked(msgspec.Struct):
    """What the service accepts in an experiment."""

    experiment: ExperimentId
    traffic_split: Share


def assign(user: str | int, experiment: str, traffic_split: float = 0.5, block: str = "") -> Variant:
    """A or B: assignment version 1 (docs/experiments.md).

    experiment: its id. traffic_split: the share of A. block: only in crossover mode, of
    core.experiments.assignment.block_of. Raises InvalidInput for what the service would refuse.
    """
    text = str(user)
    if isinstance(user, bool) or not isinstance(user, str | int) or not 1 <= len(text) <= MAX_USER_ID:
        raise InvalidInput.at(
            "user", f"must be a text of 1 to {MAX_USER_ID} characters or an integer, not {user!r:.60}"
        )
    try:
        text.encode()
        msgspec.convert({"experiment": experiment, "traffic_split": traffic_split}, _Asked)
    except UnicodeEncodeError:
        raise InvalidInput.at("user", "cannot be written in UTF-8") from None
    except msgspec.ValidationError as error:
        raise InvalidInput(f"experiment and traffic_split are as the service takes them: {error}") from None
    named = Experiment(
        experiment_id=experiment, name="", variant_a="a", variant_b="b", traffic_split=traffic_split, created_at=0
    )
    return assigned(text, named, block)
