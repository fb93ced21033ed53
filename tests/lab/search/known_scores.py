"""A search whose trials have known scores at once. As a program, it stops in the middle of a trial, to be killed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from lab.search import references, studies
from lab.search.candidates import KINDS, PARTS, Candidate
from lab.search.references import ReferenceStudy
from lab.search.studies import Search
from lab.search.trial import AfterScore, Arena, TrialScore
from tests.lab import synthetic

YEARS = (2016, 2018)
PAIRS = ("AUD/USD", "EUR/GBP", "USD/JPY")


def arena() -> Arena:
    """Three pairs of random walks, and two folds."""
    return Arena(synthetic.histories(YEARS, PAIRS), PAIRS, every=(2, 1))


def quality(candidate: Candidate) -> float:
    """A score that follows from the window and the features."""
    return 0.5 + candidate.window / 1000.0 + (0.05 if candidate.features == "bar" else 0.0)


def score(arena: Arena, candidate: Candidate, after: AfterScore | None = None, label: str = "") -> TrialScore:
    """As lab.search.trial.score, without training."""
    del label
    for part in range(PARTS * len(arena.folds)):
        if after is not None:
            after(part, quality(candidate))
    return TrialScore((quality(candidate),) * len(arena.folds))


def without_references(monkeypatched: Callable[[object, str, object], None]) -> None:
    """References that cost nothing."""
    monkeypatched(
        references,
        "STUDIES",
        {name: ReferenceStudy(each.keys, lambda *_: (0.1, {})) for name, each in references.STUDIES.items()},
    )


def nothing(*_: object) -> None:
    """Show nothing."""


def run(folder: Path, most: int, scoring: studies.Scoring = score, seed: int = 1) -> Search:
    """Run until each kind has so many trials."""
    search = Search(folder, arena(), seed=seed, scoring=scoring)
    search.run(60.0, nothing, nothing, most)
    return search


def parameters(search: Search) -> dict[str, list[dict[str, object]]]:
    """The parameters of the ended trials of each kind."""
    return {kind: [trial.params for trial in search.ended(kind)] for kind in KINDS}


def main() -> None:
    """Stop in the middle of the trial with this number, and say so."""
    folder, stop = Path(sys.argv[1]), int(sys.argv[2])
    count = 0

    def stopping(arena: Arena, candidate: Candidate, after: AfterScore) -> TrialScore:
        nonlocal count
        count += 1
        if count == stop:
            after(0, quality(candidate))
            print("stopped", flush=True)  # noqa: T201 - for the test
            sys.stdin.read()
        return score(arena, candidate, after)

    without_references(setattr)
    run(folder, 2, stopping)


if __name__ == "__main__":
    main()
