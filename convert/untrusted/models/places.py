r"""The places of weights in `.keras` files, as today's Keras writes them.

Keras 2.12 to 2.15 on Windows wrote one group named `layers\lstm\cell` instead of three groups. Keras 2.12 wrote
`_layer_checkpoint_dependencies` for `layers`. The framework would find no weights there.
"""

from __future__ import annotations

from convert.errors import Refused
from convert.untrusted.records import Dataset, Group

_OLD, _LAYERS = "_layer_checkpoint_dependencies", "layers"
_SHOWN = 120


def normalised(groups: list[Group], datasets: list[Dataset]) -> tuple[list[Group], list[Dataset]]:
    """The same records at today's places. Raises Refused if two of them get the same place."""
    paths = [*(each.path for each in groups), *(each.path for each in datasets)]
    slashed = [path.replace("\\", "/") for path in paths]
    parts = {part for path in slashed for part in path.split("/")}
    renamed = _OLD in parts and _LAYERS not in parts
    if slashed == paths and not renamed:
        return groups, datasets
    if renamed:
        slashed = ["/".join(_LAYERS if part == _OLD else part for part in path.split("/")) for path in slashed]
    _check(slashed, len(groups))
    return (
        [Group(path, group.attributes) for path, group in zip(slashed[: len(groups)], groups, strict=True)],
        [Dataset(path, each.dtype, each.shape) for path, each in zip(slashed[len(groups) :], datasets, strict=True)],
    )


def _check(places: list[str], groups: int) -> None:
    """Refuse places that HDF5 would read as others, places named twice, and datasets that contain something."""
    seen: set[str] = set()
    inner = {place[:i] for place in places for i, c in enumerate(place) if c == "/"}
    for i, place in enumerate(places):
        parts = place.split("/")
        if place and ("" in parts or "." in parts):
            raise Refused(f"{place[:_SHOWN]} has an empty part; save the model again")
        if place in seen or (i >= groups and place in inner):
            raise Refused(f"{place[:_SHOWN]} is there twice, once with backslashes; save the model again")
        seen.add(place)
