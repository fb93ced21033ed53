"""Checks of all that is fitted and chosen: it depends on the rows that it may see, and on no others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from core.features.labels import LONG, NONE, SHORT, UNKNOWN
from lab.leaks.parts import elsewhere
from lab.leaks.preparation import Leak, Named, Preparation, in_windows
from lab.panel import Mask, Panel
from lab.splits import Split

# The quantiles from which on rows are long and short where labels follow one feature.
_SHORT, _LONG = 0.8, 0.6


def check(preparation: Preparation, panel: Panel, split: Split) -> Iterator[Leak]:
    """Compare what is learned with what is learned if other rows have other features and labels.

    The labels of other rows follow one feature, the first or the last one, so that a choice of features that sees them
    changes as well.
    """
    was = preparation.learn(panel, split)
    seen: set[str] = set()
    for kind, allowed in (("fitted", split.train), ("chosen", split.train | split.validation)):
        before: Named = getattr(was, kind)
        inside = in_windows(panel, allowed, preparation.window)
        still = set(before)
        for column in {0, len(panel.names) - 1} if before else ():
            other = getattr(preparation.learn(_other(panel, inside, allowed, column), split), kind)
            for name in _different(before, other) - seen:
                seen.add(name)
                yield Leak(kind, f"{name} depends on rows that it must not see")
            if still:
                other = getattr(preparation.learn(_other(panel, ~inside, ~allowed, column), split), kind)
                still -= _different(before, other)
        for name in sorted(still):
            yield Leak("elsewhere", f"{name} does not depend on the rows that it is learned from")


def _other(panel: Panel, kept: Mask, kept_labels: Mask, column: int) -> Panel:
    """The panel with other features and other labels in the rows that are not kept."""
    # With noise, so that each part of the panel has all labels even if the feature only ascends.
    follow = np.argsort(np.argsort(panel.features[:, column])) / len(panel)
    follow += np.random.default_rng(0).random(len(panel))
    low, high = np.quantile(follow, [_LONG, _SHORT])
    labels = np.select([panel.labels == UNKNOWN, follow > high, follow > low], [UNKNOWN, SHORT, LONG], NONE)
    return replace(elsewhere(panel, kept), labels=np.where(kept_labels, panel.labels, labels).astype(np.int8))


def _different(one: Named, other: Named) -> set[str]:
    return {
        name
        for name in {*one, *other}
        if name not in one or name not in other or _bytes(one[name]) != _bytes(other[name])
    }


def _bytes(value: object) -> tuple[str, tuple[int, ...], bytes]:
    array = np.asarray(value)
    return array.dtype.str, array.shape, array.tobytes()
