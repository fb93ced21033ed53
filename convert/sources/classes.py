"""The classes of a softmax that a stage can have."""

from __future__ import annotations

from convert.errors import Refused

REVERSAL = "reversal"
# In any order. A network for all three signals serves both stages.
_SIGNALS = ("hold", "long", "short")
_OF_STAGES = {"stage1": (("hold", REVERSAL), _SIGNALS), "stage2": (("long", "short"),)}


def check(classes: tuple[str, ...], place: str, label: str, *, alone: bool) -> None:
    """Raise Refused for classes that the stage cannot have. alone: whether it is the version's only one."""
    known = _OF_STAGES[label]
    if tuple(sorted(classes)) not in known:
        lists = " or ".join(str([*each]).replace("'", '"') for each in known)
        raise Refused.at(place, f"expected {lists}, in the order of the model's outputs")
    if len(classes) == len(_SIGNALS) and not alone:
        raise Refused.at(place, "a network for hold, long and short serves both stages; remove stage2")


def serves_both(classes: tuple[str, ...] | None) -> bool:
    """Whether these are the classes of a network that serves both stages."""
    return classes is not None and len(classes) == len(_SIGNALS)
