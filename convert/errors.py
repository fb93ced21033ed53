"""The one error of a conversion."""

from __future__ import annotations


class Refused(Exception):
    """Something that is not converted or not published. The message names the place and the value."""

    @classmethod
    def at(cls, place: str, message: object) -> Refused:
        """The error of one place, such as a file or a version's stage."""
        return cls(f"{place}: {message}")
