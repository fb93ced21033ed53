"""The error of a conversion."""

from __future__ import annotations


def line(text: str, longest: int) -> str:
    """A text for one line of a message. Characters that cannot be printed become question marks."""
    return "".join(c if c.isprintable() else "?" for c in text[:longest])


class Refused(Exception):
    """An input that cannot be converted or published. The message names the place and the value."""

    @classmethod
    def at(cls, place: str, message: object) -> Refused:
        """The error at one place, such as a file or a stage of a version."""
        return cls(f"{place}: {message}")
