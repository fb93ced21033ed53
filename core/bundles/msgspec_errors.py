"""Errors of msgspec in the words of our own: the place first."""

from __future__ import annotations


def with_place_first(message: str) -> str:
    """Turn msgspec's "Expected ... - at `$.place`" into "place: expected ..."."""
    text, _, place = message.partition(" - at `$")
    if text[1:2].islower():  # not "JSON is malformed"
        text = text[:1].lower() + text[1:]
    place = place.rstrip("`").lstrip(".")
    return f"{place}: {text}" if place else text
