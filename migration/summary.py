"""The summary of an import: a line for each file that was changed or left, then the totals."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from core.experiments.experiment import Experiment
from migration.plan import Fate, Plan, Result

_TOTALS: dict[Fate, str] = {
    "imported": "imported as they are",
    "changed": "imported with changes",
    "left": "left",
    "already_there": "already there",
}
_IMPORTED: dict[Fate, str] = {"imported": "imported as", "changed": "imported with changes as"}
_ACTIVATE = "POST /reversal/experiments/ID/activate"


def lines(plan: Plan) -> Iterator[str]:
    """The lines of the summary, without line ends."""
    for result in plan.results:
        if result.notes:
            yield _line(result)
    counts = Counter(result.fate for result in plan.results)
    total = len(plan.results)
    yield f"{total} file{'' if total == 1 else 's'}: " + ", ".join(f"{counts[f]} {text}" for f, text in _TOTALS.items())
    if plan.resumes:
        yield f"running again: {plan.resumes.experiment_id}"
    if plan.claims:
        yield f"none runs, because several files say active: {', '.join(_claim(each) for each in plan.claims)}"
        yield f"activate the one that should run: {_ACTIVATE}"
    if counts["left"]:
        yield "correct the files that were left, and import the folder again; what is already there does not change"


def _line(result: Result) -> str:
    file = result.file if result.file.isprintable() else json.dumps(result.file)
    fate = "left" if result.fate == "left" else f"{_IMPORTED[result.fate]} {result.experiment_id}"
    return f"{file}: {fate}: {'; '.join(result.notes)}"


def _claim(experiment: Experiment) -> str:
    count = sum(counts.count for counts in (experiment.imported or {}).values())
    stopped = ", stopped" if experiment.status == "stopped" else ""
    return f"{experiment.experiment_id} ({count} predictions{stopped})"
