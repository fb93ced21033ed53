"""The audit: all checks of one preparation, and its report."""

from __future__ import annotations

from collections.abc import Sequence

from lab.history import History
from lab.leaks import learning, parts, table
from lab.leaks.futures import moments
from lab.leaks.preparation import Leak, Preparation

# What each check does. The names are those of the findings.
CHECKS = {
    "features": "later bars are cut off or changed: no feature of a bar changes",
    "horizon": "bars after the horizon of a label are cut off or changed: the label stays",
    "past": "all later bars are changed: labels change; no price moves after the bar: all labels are the same",
    "dates": "all bars are 52 weeks later: no feature changes",
    "too good": "no feature alone ranks the labels with an AUC above 0.8",
    "clock": "the changes of each pair are related most to those of the other pairs at the same time",
    "pairs": "pairs that are left out are in no training, also not under another name",
    "parts": "no bar is in two parts, none of which is empty",
    "order": "over all pairs, every label of a part ends before the next part begins",
    "windows": "all rows outside a window are changed: what the model sees of it stays",
    "fitted": "all rows outside the training are changed: scaler, chosen features and models stay",
    "chosen": "all rows outside training and validation are changed: threshold and temperature stay",
    "elsewhere": "the training is changed: all that is learned from it changes, or it was learned elsewhere",
}
_MOMENTS = 8


def audit(preparation: Preparation, histories: Sequence[History], random_moments: int = _MOMENTS) -> list[Leak]:
    """All leaks that the checks find, each once; an empty list if there are none.

    histories: a few thousand bars of each pair are enough, if each part has some hundreds. The table is made about
    three times for each moment. Moments are chosen where leaks show, with so many random ones.
    """
    when = moments(histories, random_moments)
    found = [*parts.check_bars(preparation, histories), *table.check(preparation, histories, when)]
    panel = preparation.table(histories)
    split = preparation.split(panel)
    found += parts.check_split(preparation, panel, split)
    found += parts.check_windows(preparation, panel, split)
    found += learning.check(preparation, panel, split)
    return found


def report(leaks: Sequence[Leak]) -> str:
    """A line for each check, with the findings below it."""
    lines = []
    for check, meaning in CHECKS.items():
        own = [leak for leak in leaks if leak.check == check]
        lines.append(f"{'LEAK' if own else 'ok  '} {check}: {meaning}")
        lines += [f"       {leak.where}" for leak in own]
    return "\n".join(lines)
