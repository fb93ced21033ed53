"""The studies of the search in one SQLite file: a study for each kind of model, so that each kind has its own turn.

Optuna's sampler and pruner then compare a trial with trials of its own kind only. All kinds have the same number of
trials, epochs, and seconds a trial, and the same choice of features.
"""

from __future__ import annotations

import fcntl
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from lab.search import references, space
from lab.search.candidates import KINDS, PARTS
from lab.search.trial import Arena, TrialScore, score

FILE, LOCK = "search.db", "search.lock"
# Seconds of CPU, so that a busy machine does not change which trials end early.
SECONDS_A_TRIAL = 60.0
_RANDOM_TRIALS = 3  # of each kind, before the sampler follows its model
_FIRST_PRUNED_PART = 1
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


class BudgetOver(Exception):
    """The minutes are used up in the middle of a trial, which the next run repeats."""


class FolderRefused(OSError):
    """Another process searches in the folder, or its trials were made in another way."""


class Ended(NamedTuple):
    """One finished piece of work. what: such as "lstm 3". value: None if the trial was pruned."""

    what: str
    about: str
    value: float | None
    best: float | None
    seconds: float


OnEnd: TypeAlias = Callable[[Ended], None]
OnStart: TypeAlias = Callable[[str, str], None]
Scoring: TypeAlias = Callable[..., TrialScore]


class Search:
    """The studies of a folder. Only one process may run them at a time."""

    def __init__(
        self,
        folder: Path,
        arena: Arena,
        *,
        seed: int = 1,
        seconds_a_trial: float = SECONDS_A_TRIAL,
        scoring: Scoring = score,
    ) -> None:
        self.folder, self.arena, self.seed, self.scoring = folder, arena, seed, scoring
        self.seconds_a_trial = seconds_a_trial
        self.storage = storage(folder)
        self.studies = {name: self._study(name) for name in (*KINDS, *references.STUDIES)}

    def _study(self, name: str) -> optuna.Study:
        pruner = optuna.pruners.MedianPruner(n_startup_trials=_RANDOM_TRIALS, n_warmup_steps=_FIRST_PRUNED_PART)
        study = optuna.create_study(
            study_name=name, storage=self.storage, direction="maximize", pruner=pruner, load_if_exists=True
        )
        made = {**self.arena.settings, "parts": PARTS, "seed": self.seed, "seconds_a_trial": self.seconds_a_trial}
        before = study.user_attrs.get("made", made)
        if before != made:
            raise FolderRefused(
                f"{self.folder}: its trials were made with {before}, not with {made}; use another folder"
            )
        study.set_user_attr("made", made)
        return study

    def ended(self, kind: str) -> list[FrozenTrial]:
        """The complete and the pruned trials of a kind."""
        return self.studies[kind].get_trials(deepcopy=False, states=_ENDED)

    def best(self, kind: str) -> float | None:
        """The highest value of the complete trials of a kind."""
        values = [trial.value for trial in self.ended(kind) if trial.state == TrialState.COMPLETE]
        return max((value for value in values if value is not None), default=None)

    def run(self, minutes: float, on_start: OnStart, on_end: OnEnd, most: int | None = None) -> None:
        """Go on with the studies until the minutes are over, or `most` trials a kind have ended."""
        deadline = time.monotonic() + 60.0 * minutes
        with _locked(self.folder), suppress(BudgetOver):
            self._forget_killed()
            while time.monotonic() < deadline:
                counts = {kind: len(self.ended(kind)) for kind in KINDS}
                kind = min(KINDS, key=counts.__getitem__)
                reference = self._next_reference(counts[kind]) if len(set(counts.values())) == 1 else None
                if reference is not None:
                    on_end(self._refer(*reference, on_start))
                elif most is not None and counts[kind] >= most:
                    break
                else:
                    on_end(self._try(kind, counts[kind], deadline, on_start))

    def _forget_killed(self) -> None:
        """Trials that a killed process left behind are repeated."""
        for study in self.studies.values():
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                study.tell(trial.number, state=TrialState.FAIL)

    def _next_reference(self, rounds: int) -> tuple[str, str] | None:
        """Two references after each round of the kinds, so that a short search has some of both."""
        done = {(name, trial.params["key"]) for name in references.STUDIES for trial in self.ended(name)}
        if len(done) >= 2 * rounds:
            return None
        return next((each for each in references.ALL if each not in done), None)

    def _refer(self, name: str, key: str, on_start: OnStart) -> Ended:
        on_start(name, key)
        began = time.process_time()
        value, attributes = references.STUDIES[name].compute(self.arena, key, self.seed)
        seconds = round(time.process_time() - began, 1)
        self.studies[name].add_trial(
            optuna.trial.create_trial(
                params={"key": key},
                distributions={"key": CategoricalDistribution(references.STUDIES[name].keys)},
                value=value,
                user_attrs=attributes | {"cpu_seconds": seconds},
            )
        )
        return Ended(name, key, value, None, seconds)

    def _try(self, kind: str, number: int, deadline: float, on_start: OnStart) -> Ended:
        study = self.studies[kind]
        # Seeded by the number of the trial, so that a search that was interrupted goes on as if it had not been.
        seed = zlib.crc32(f"{self.seed} {kind} {number}".encode())
        study.sampler = optuna.samplers.TPESampler(n_startup_trials=_RANDOM_TRIALS, seed=seed)
        trial = study.ask()
        candidate = space.suggest(trial, kind, self.seed)
        trial.set_user_attr("candidate", candidate.values())
        on_start(f"{kind} {number + 1}", str(candidate))
        began = time.process_time()

        def after(part: int, now: float) -> None:
            trial.report(now, part)
            if time.monotonic() >= deadline:
                raise BudgetOver
            if time.process_time() - began > self.seconds_a_trial:
                trial.set_user_attr("why", "time")
                raise optuna.TrialPruned
            if trial.should_prune():
                trial.set_user_attr("why", "median")
                raise optuna.TrialPruned

        value: float | None = None
        try:
            found = self.scoring(self.arena, candidate, after)
        except optuna.TrialPruned:
            self._close(study, trial, began, TrialState.PRUNED)
        except BaseException:
            study.tell(trial, state=TrialState.FAIL)
            raise
        else:
            value = found.value
            trial.set_user_attr("folds", list(found.folds))
            self._close(study, trial, began, TrialState.COMPLETE, value)
        return Ended(
            f"{kind} {number + 1}", str(candidate), value, self.best(kind), round(time.process_time() - began, 1)
        )

    @staticmethod
    def _close(
        study: optuna.Study, trial: optuna.Trial, began: float, state: TrialState, value: float | None = None
    ) -> None:
        trial.set_user_attr("cpu_seconds", round(time.process_time() - began, 1))
        study.tell(trial, value, state)


def storage(folder: Path) -> optuna.storages.RDBStorage:
    """The file of the studies; the folder is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.storages.RDBStorage(f"sqlite:///{folder / FILE}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FolderRefused(f"{folder}: another search is running in this folder") from None
        yield


def finished(folder: Path, kinds: Sequence[str]) -> dict[str, list[FrozenTrial]]:
    """The complete and pruned trials of a folder, by study."""
    found = storage(folder)
    return {
        kind: optuna.load_study(study_name=kind, storage=found).get_trials(deepcopy=False, states=_ENDED)
        for kind in kinds
    }


def record(trial: FrozenTrial) -> dict[str, Any]:
    """What the results keep of a trial."""
    seconds = (
        (trial.datetime_complete - trial.datetime_start).total_seconds()
        if trial.datetime_complete and trial.datetime_start
        else 0.0
    )
    values = sorted(trial.intermediate_values.items())
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": None if trial.value is None or trial.state != TrialState.COMPLETE else round(trial.value, 5),
        "params": trial.params,
        **trial.user_attrs,
        "wall_seconds": round(seconds, 1),
        "parts": [round(value, 4) for _, value in values],
    }
