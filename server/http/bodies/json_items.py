"""The items of a large body's list, found one by one, so that the event loop runs other tasks in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import NamedTuple

import msgspec

from core.errors import InvalidInput, ServiceError
from server.http.bodies.json_walk import JsonWalk
from server.http.bodies.seen import missing
from server.http.fairness import let_others_run

# The longest time without a pause for other tasks.
SPLIT_SECONDS = 300e-6
# A smaller body that is refused here goes to the plain decoder as well: its errors are better, and it takes only a
# millisecond.
PLAIN = 256 * 1024
# No useful request has so many fields beside the list.
_MAX_FIELDS = 1_000


class Listed(NamedTuple):
    """A body that is an object with a list in `field`.

    most: the most items. item_bytes: the most bytes of an item, or of the value of another field. plainly: decodes the
    whole body at once, with the same result.
    """

    field: str
    most: int
    item_bytes: int
    plainly: Callable[[bytes], list[msgspec.Raw]]


async def items(body: bytes | bytearray, listed: Listed) -> Sequence[msgspec.Raw]:
    """The items of the list in a body, which must be UTF-8. Raises MalformedJson or InvalidInput."""
    found = []
    try:
        since = perf_counter()
        for item in split(body, listed):
            if item is not None:
                found.append(item)
            if perf_counter() - since > SPLIT_SECONDS:
                await let_others_run()
                since = perf_counter()
    except ServiceError:
        if len(body) > PLAIN:
            raise
        return listed.plainly(bytes(body))
    await let_others_run()
    return found


def split(body: bytes | bytearray, listed: Listed) -> Iterator[msgspec.Raw | None]:
    """Yield each item once it is checked to be JSON, and null for each other field and each part that was searched.

    Only after the last one is the whole body known to be well-formed, and to mean the same to the plain decoder. Raises
    MalformedJson if it is not; InvalidInput also if the list is given twice, or if a part is larger than any request
    needs.
    """
    walk = JsonWalk(body)
    walk.enter(b"{", "", f"the body must be an object with {listed.field}")
    found = False
    names: list[str] = []
    for _ in range(_MAX_FIELDS):
        field = yield from walk.name()
        names.append(field)
        walk.take(b":")
        if field == listed.field:
            if found:
                raise InvalidInput.at(field, "is given twice; send it once")
            found = True
            yield from _elements(walk, listed)
        else:
            yield from walk.value(listed.item_bytes, field)
            yield None
        if walk.take(b",}") == b"}":
            break
    else:
        raise InvalidInput.at("", f"the body must have at most {_MAX_FIELDS:,} fields")
    walk.end()
    if not found:
        raise InvalidInput.at(listed.field, missing(listed.field, names))


def _elements(walk: JsonWalk, listed: Listed) -> Iterator[msgspec.Raw | None]:
    walk.enter(b"[", listed.field, "must be an array")
    if walk.next_is(b"]"):
        walk.take(b"]")
        return
    count = 0
    while count < listed.most:
        several = (yield from walk.alike(listed.most - count, listed.item_bytes)) if count else []
        if not several:
            several = [(yield from walk.value(listed.item_bytes, f"{listed.field}[{count}]"))]
        count += len(several)
        yield from map(msgspec.Raw, several)
        if walk.take(b",]") == b"]":
            return
    raise InvalidInput.at(listed.field, f"must have at most {listed.most:,} items, has more; send them in parts")
