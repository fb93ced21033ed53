"""`reversal models` and `reversal bench`: what a folder of bundles has, and how fast it is here."""

from __future__ import annotations

import time
from statistics import median

import click
import numpy as np

from core.bundles.repository import Repository
from core.errors import BundleRefused
from core.features.candles import Candles
from core.features.timeframes import PERIODS
from core.inference.detector import Detector
from core.inference.inputs import CandleWindows
from reversal.commands.output import as_json, models, print_json, print_table, versions_of
from reversal.offline import models_folder

_BATCH = 64


@click.command("models", epilog="Example: reversal models --json")
@models
@as_json
def list_models(*, models: str | None, as_json: bool) -> None:
    """The versions in a folder of bundles, in the order in which a server tries them."""
    repository = Repository(models_folder(models))
    versions_of(models)  # is refused if there is none
    listing = repository.listing()
    found: list[dict[str, object]] = []
    for version in listing.versions:
        try:
            bundle = repository.read(version)
        except BundleRefused as error:
            found.append({"version": version, "error": str(error)})
            continue
        manifest = bundle.manifest
        found.append(
            {
                "version": version,
                "digest": bundle.digest,
                "name": manifest.name,
                "threshold": manifest.threshold,
                "required_candles": manifest.required_candles,
                "recommended_candles": manifest.recommended_candles,
                "requires_timestamps": manifest.requires_timestamps,
                "has_stage2": manifest.stage2 is not None,
            }
        )
    if as_json:
        print_json({"folder": str(models_folder(models)), "versions": found, "problems": listing.problems})
    else:
        names = ("version", "name", "threshold", "required_candles", "recommended_candles", "has_stage2", "error")
        headings = ("version", "name", "threshold", "needs", "recommended", "stage 2", "error")
        used = [i for i, name in enumerate(names) if any(name in each for each in found)]
        print_table([headings[i] for i in used], [[each.get(names[i], "") for i in used] for each in found])
    for problem in listing.problems:
        click.secho(problem, fg="yellow", err=True)
    if any("error" in each for each in found):
        raise SystemExit(1)


@click.command(epilog="Example: reversal bench --seconds 1")
@click.option("--seconds", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, help="Time for each figure.")
@models
@as_json
def bench(*, seconds: float, models: str | None, as_json: bool) -> None:
    """How long each version takes for a prediction on this machine, without HTTP: median and 99th percentile in µs."""
    repository = Repository(models_folder(models))
    found = []
    broken = False
    for version in versions_of(models):
        try:
            detector = Detector(repository.read(version))
        except BundleRefused as error:
            click.secho(str(error), fg="red", err=True)
            broken = True
            continue
        if detector.manifest.inputs == "features":  # there are no candles to measure it with
            continue
        one = _timed(detector, 1, seconds)
        many = _timed(detector, _BATCH, seconds)
        found.append(
            {
                "version": version,
                "candles": detector.recommended_candles,
                "median_us": median(one) * 1e6,
                "p99_us": float(np.quantile(one, 0.99)) * 1e6,
                f"median_us_in_batches_of_{_BATCH}": median(many) * 1e6,
            }
        )
    if as_json:
        print_json(found)
    else:
        print_table(
            ("version", "candles", "median µs", "p99 µs", f"in batches of {_BATCH}, µs each"),
            [[round(x) if isinstance(x, float) else x for x in each.values()] for each in found],
        )
    if broken:
        raise SystemExit(1)


def _timed(detector: Detector, batch: int, seconds: float) -> list[float]:
    """Seconds a prediction, of each run."""
    rng = np.random.default_rng(0)
    closes = np.exp(np.cumsum(1e-3 * rng.standard_normal((batch, detector.recommended_candles)), axis=1))
    hours = [PERIODS["1h"] * bar for bar in range(detector.recommended_candles)]
    series = [Candles(np.array([c, c * 1.001, c * 0.999, c, np.full_like(c, 1e3)]), hours) for c in closes]
    times = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        detector.predict([CandleWindows(each) for each in series])
        times.append((time.perf_counter() - began) / batch)
    return times
