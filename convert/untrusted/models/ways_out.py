"""What a message says about layers that are refused, and what to do about them."""

from __future__ import annotations

from collections.abc import Iterator

from convert.untrusted.models import permitted

_MOST_NAMED = 12
_CODE = "Lambda"
# What to do about layers that are refused, in the order of the message.
_WAY_OUT_OF_CODE = (
    "a Lambda is Python code, which is never run: replace it by Keras' own layers, or by a class in a module of yours"
    " that --custom-objects names"
)
_WAY_OUT_OF_TABLE = "convert without --no-fallback"
_WAY_OUT = "use layers that docs/convert.md lists, or name the module of your own layers with --custom-objects"


def refusals(unknown: list[tuple[str, str]]) -> Iterator[str]:
    """What is said about layers of unknown classes, given as names and classes: one sentence and the way out."""
    if not unknown:
        return
    if len(unknown) == 1:
        ((name, kind),) = unknown
        yield f"layer {name!r}: a layer of class {kind} cannot be converted"
    else:
        named = ", ".join(f"{name!r} of class {kind}" for name, kind in unknown[:_MOST_NAMED])
        more = f", and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        yield f"{len(unknown)} layers cannot be converted: {named}{more}"
    kinds = {kind for _, kind in unknown}
    if _CODE in kinds:
        yield _WAY_OUT_OF_CODE
    if kinds & permitted.FALLBACK:
        yield _WAY_OUT_OF_TABLE
    if kinds - permitted.FALLBACK - {_CODE}:
        yield _WAY_OUT
