"""How many items of a large request are answered together: few beside single predictions, more without them."""

from __future__ import annotations

from time import perf_counter

from core.serving.batching import Batcher
from core.serving.routing import Question, Result

# 4 items from features take a third of a millisecond, with 60 µs of networks each; 16 take less than one, with 43 µs
# each; 32 would have 40 µs each. A single prediction waits until the current slice ends.
FEW, MANY = 4, 16
# Slices are small for so long after a single prediction: others are likely to follow.
_RECENT_SECONDS = 0.02


def slice_items(batcher: Batcher[Question, Result]) -> int:
    """The most items of the next slice. Single predictions are answered by `batcher`."""
    return FEW if perf_counter() - batcher.ran < _RECENT_SECONDS else MANY
