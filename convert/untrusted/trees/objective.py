"""What the sums of a model's trees become, as the head of LightGBM's text says."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias, cast

from convert.errors import Refused
from convert.untrusted import limits
from convert.untrusted.trees.values import Values, whole

KEYS = (b"num_class", b"num_tree_per_iteration", b"objective")
_CLASSES, _STEEPEST = 3, 1e3
_SHOWN = 60

Name: TypeAlias = Literal["binary", "cross_entropy", "multiclass"]


class Objective(NamedTuple):
    """steepness: the factor of the sums before a sigmoid. outputs: the number of sums."""

    name: Name
    steepness: float
    outputs: int


def read(head: Values) -> Objective:
    """The objective of a model, which gives probabilities. Raises Refused."""
    name, *options = head.get(b"objective", b"none").decode(errors="replace").split(" ")[:20]
    if name not in {"binary", "cross_entropy", "multiclass"}:
        raise Refused(_refusal(name))
    expected = _CLASSES if name == "multiclass" else 1
    for key in (b"num_class", b"num_tree_per_iteration"):
        if (found := whole(head, key, 1, limits.FEATURES)) != expected:
            wanted = "3: hold, long and short; for two, train it with objective=binary" if expected > 1 else "1"
            raise Refused(f"objective {name} with {key.decode()}={found}, expected {wanted}")
    given = dict(option.split(":", 1) for option in options if ":" in option)
    return Objective(cast("Name", name), _steepness(given.get("sigmoid", "1")) if name == "binary" else 1.0, expected)


def _refusal(name: str) -> str:
    """Why an objective gives no probability, and the way out."""
    if name in {"", "none"}:
        return (
            "no objective, as in a model of a loss of your own, so what its sums mean is unknown; train it with"
            " objective=binary"
        )
    if name == "multiclassova":
        return "objective multiclassova, whose probabilities do not sum to 1; train it with objective=multiclass"
    return (
        f"objective {name[:_SHOWN]}: no probability of a class. A stage needs one: train it with objective=binary"
        " (cross_entropy, or multiclass with 3 classes)"
    )


def _steepness(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0.0 < found <= _STEEPEST:
        raise Refused(f"sigmoid:{text[:_SHOWN]} in its objective is no number within 0 to {_STEEPEST:g}")
    return found
