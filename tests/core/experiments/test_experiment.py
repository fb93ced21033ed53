from __future__ import annotations

import pytest

from core.errors import Conflict
from core.experiments.experiment import Experiment, iso


def draft(stop_at: int | None) -> Experiment:
    return Experiment(
        experiment_id="exp",
        name="n",
        variant_a="v1",
        variant_b="v2",
        traffic_split=0.5,
        created_at=0,
        stop_at=stop_at,
    )


@pytest.mark.parametrize(("stop_at", "now", "due"), [(None, 10**18, False), (5, 4, False), (5, 5, True), (5, 6, True)])
def test_an_experiment_is_due_from_its_stop_at_on(stop_at: int | None, now: int, due: bool) -> None:  # noqa: FBT001
    assert draft(stop_at).is_due(now) is due


def test_a_draft_that_is_due_cannot_be_activated_but_an_active_experiment_stays_active() -> None:
    active = draft(5).activated(4)
    assert (active.status, active.activated_at) == ("active", 4)
    assert active.activated(6) == active
    with pytest.raises(Conflict, match=r"1970-01-01T00:00:00\.000005Z"):
        draft(5).activated(5)


def test_an_instant_is_iso_8601_in_utc_with_its_fraction() -> None:
    assert iso(1_760_605_200_000_000) == "2025-10-16T09:00:00Z"
    assert iso(1_760_605_200_000_120) == "2025-10-16T09:00:00.000120Z"
    assert iso(-1) == "1969-12-31T23:59:59.999999Z"
