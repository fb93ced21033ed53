"""Reversal signals in this process, and the command line.

    import reversal
    detector = reversal.load("v3.2")
    detector.predict(frame)

Nothing is imported before it is used, so that the command line starts at once. No other package imports this one.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # type checkers know the name; importing typing takes longer than the rest of --help
if TYPE_CHECKING:
    from reversal.assigning import assign
    from reversal.offline import Answer, OfflineDetector, load
    from reversal.replaying import Replay, replay

__all__ = ["Answer", "OfflineDetector", "Replay", "assign", "load", "replay"]

_ROOMS = {
    "assign": "assigning",
    "load": "offline",
    "Answer": "offline",
    "OfflineDetector": "offline",
    "replay": "replaying",
    "Replay": "replaying",
}


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module 'reversal' has no attribute {name!r}")
    return getattr(import_module(f"reversal.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
