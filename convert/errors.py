"""The error of a conversion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


def line(text: str, longest: int) -> str:
    """A text for one line of a message. Characters that cannot be printed become question marks."""
    return "".join(c if c.isprintable() else "?" for c in text[:longest])


class Refused(Exception):
    """An input that cannot be converted or published. The message names the place and the value."""

    @classmethod
    def at(cls, place: str, message: object) -> Refused:
        """The error at one place, such as a file or a stage of a version."""
        return cls(f"{place}: {message}")


class ManyRefused(Refused):
    """Several inputs that cannot be converted. messages: one for each."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("; ".join(messages))
        self.messages = list(messages)


class Problems:
    """Collects refusals, so that all are shown together. One that several places share is shown once, at the first."""

    def __init__(self) -> None:
        self._places: dict[str, list[str]] = {}

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Collect a refusal of the block. Any other error is one too, because it comes from a file."""
        try:
            yield
        except ManyRefused as error:
            for message in error.messages:
                self._add(place, message)
        except Refused as error:
            self._add(place, str(error))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            self._add(place, f"{type(error).__name__}: {error}")

    def __len__(self) -> int:
        return len(self._places)

    def _add(self, place: str, message: str) -> None:
        places = self._places.setdefault(message, [])
        if place not in places:
            places.append(place)

    def raise_any(self) -> None:
        """Raise the only refusal, or all of them. Without one, return."""
        messages = []
        for message, (first, *others) in self._places.items():
            also = f" (also {', '.join(others)})" if others else ""
            messages.append(f"{first}: {message}{also}" if first else f"{message}{also}")
        if len(messages) == 1:
            raise Refused(messages[0])
        if messages:
            raise ManyRefused(messages)
