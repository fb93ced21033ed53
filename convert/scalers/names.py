"""The names of the columns that a scaler was fitted on, compared with those of its stage."""

from __future__ import annotations

import json
from collections.abc import Sequence

from convert.errors import Refused, line
from convert.sources.feature_names import mapping

_LONGEST = 60  # characters of a name in a message


def check_names(fitted: Sequence[str], columns: Sequence[str]) -> None:
    """Raise Refused if the names differ or have another order.

    fitted: the scaler's names. columns: the user's names of the stage's features, in the order of the model's input.
    The message has the first difference, and a feature list that would take the scaler's names, as far as one is known.
    """
    for i, (name, column) in enumerate(zip(fitted, columns, strict=True)):
        if name != column:
            raise Refused(
                f"fitted on the column {_shown(name)} at place {i + 1}, where the stage has {_shown(column)}; "
                f"{_way_out(fitted, columns)}"
            )


def _way_out(fitted: Sequence[str], columns: Sequence[str]) -> str:
    if sorted(fitted) == sorted(columns):
        return f"list the features in the scaler's order if the model was trained so: {_json(list(fitted))}"
    near = mapping(fitted)
    if not near:
        return f"the scaler has {', '.join(map(_shown, fitted))}, and no feature of docs/indicators.md is like them"
    unknown = [name for name in fitted if name not in near.values()]
    offer = f"if they mean the same (compare docs/indicators.md), give this as the feature list: {_json(near)}"
    rest = f", with a feature for each of {', '.join(map(_shown, unknown))} at its place" if unknown else ""
    return offer + rest


def _shown(name: str) -> str:
    return repr(line(name, _LONGEST))


def _json(names: list[str] | dict[str, str]) -> str:
    if isinstance(names, list):
        return json.dumps([line(name, _LONGEST) for name in names], ensure_ascii=False)
    return json.dumps({ours: line(name, _LONGEST) for ours, name in names.items()}, ensure_ascii=False)
