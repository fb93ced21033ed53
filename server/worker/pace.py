"""How many items of a large request are answered together: few beside single predictions, more without them."""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

from core.serving.batching import Batcher
from core.serving.routing import Question, Result

# Slices are small for so long after a single prediction: others are likely to follow.
_RECENT_SECONDS = 0.1


class SliceSize(NamedTuple):
    """The most items of a slice, and the most bytes: the item that passes them is its last one."""

    items: int
    bytes: int


# A single prediction waits until the current slice ends. Beyond 16 windows a run saves hardly any more time
# (docs/benchmarks-parts.md).
SMALL = SliceSize(4, 16 * 1024)
LARGE = SliceSize(16, 256 * 1024)


def next_slice(batcher: Batcher[Question, Result]) -> SliceSize:
    """The size of the next slice. Single predictions are answered by `batcher`."""
    return SMALL if perf_counter() - batcher.ran < _RECENT_SECONDS else LARGE
