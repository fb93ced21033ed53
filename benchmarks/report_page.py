"""What does a report look like? Runs an experiment on real hours and draws `docs/report.svg`.

v3.0 and v3.1 predict each hour of EUR/USD that neither of them was fitted on, and the 4-hour candles made of them. The
predictions are recorded, labelled and looked at once a day, as a server would do, but on the clock of the candles.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.machine import ROOT
from core.bundles.repository import Repository
from core.experiments.experiment import ChosenRule, Experiment, Micros
from core.experiments.label_rule import LabelRule
from core.experiments.records import Exposure, ShadowScore, new_prediction_id, prediction_moment
from core.features.candle_keys import candle_key_of_time
from core.features.candles import Candles, Floats
from core.features.timeframes import Timeframe
from core.inference.decision import Decision
from core.inference.detector import Detector, Prediction
from core.inference.inputs import CandleWindows
from core.reports.evaluation import LaterCandles, evaluate
from core.reports.page.html_page import html
from core.reports.recorded import read as read_recorded
from core.store import open_store
from core.store.interface import Store
from lab.history import read
from server.keeper.answers import iso
from server.keeper.reports.reporter import computed

HISTORY = ROOT / "training" / "data" / "eurusd_1h_2017.csv"
PAGE, PICTURE = ROOT / "docs" / "examples" / "report.html", ROOT / "docs" / "report.svg"
FIRST_BAR = 4_358  # the bars before it were used in training
BLOCK = 4  # hours
CANDLES = 120  # in a request
BATCH = 64
HOUR = 3_600_000_000
# v3.1's label rule in training (`label` in its metadata).
RULE = LabelRule(horizon=10, min_profit_pips=6.18063, max_loss_pips=10.30105, min_ratio=1.5)
# The picture shows the page down to the drawing. No browser is needed to make it, so its height is an estimate.
WIDTH, HEIGHT = 760, 1_150


class Series(NamedTuple):
    """Candles of one timeframe, oldest first. opens: their opening times in microseconds since 1970."""

    timeframe: Timeframe
    length: Micros
    opens: list[Micros]
    rows: Floats


def hours() -> Series:
    """Return all real hours."""
    history = read(HISTORY)
    return Series("1h", HOUR, (history.timestamps.astype(np.int64) * 1_000_000).tolist(), history.rows)


def four_hours(of: Series) -> Series:
    """Return the 4-hour candles that the hours make. One with a missing hour is left out."""
    blocks: dict[Micros, list[int]] = {}
    for index, opens in enumerate(of.opens):
        blocks.setdefault(opens // (BLOCK * HOUR), []).append(index)
    whole = {block: of.rows[bars] for block, bars in blocks.items() if len(bars) == BLOCK}
    rows = [(bars[0, 0], bars[:, 1].max(), bars[:, 2].min(), bars[-1, 3], bars[:, 4].sum()) for bars in whole.values()]
    return Series("4h", BLOCK * HOUR, [block * BLOCK * HOUR for block in whole], np.array(rows))


def decisions(detector: Detector, rows: Floats) -> list[Decision]:
    """Return the decision at every candle that ends a window of CANDLES."""
    found = []
    ends = range(CANDLES, len(rows) + 1)
    for first in range(0, len(ends), BATCH):
        sources = [CandleWindows(Candles.from_rows(rows[end - CANDLES : end])) for end in ends[first : first + BATCH]]
        for outcome in detector.predict(sources):
            if not isinstance(outcome, Prediction):
                raise SystemExit(str(outcome))
            found.append(outcome.decision)
    return found


def records(of: Series, a: Detector, b: Detector, experiment: Experiment) -> Iterator[Exposure | ShadowScore]:
    """Yield the answer of A and the score of B on each candle since the activation, when the candle has ended."""
    name = experiment.experiment_id
    both = zip(of.opens[CANDLES - 1 :], decisions(a, of.rows), decisions(b, of.rows), strict=True)
    for opens, said, scored in both:
        if opens < experiment.created_at:
            continue
        at, candle = opens + of.length, candle_key_of_time(opens // 1000)
        yield Exposure(
            prediction_id=new_prediction_id(prediction_moment(at)),
            at=at,
            experiment_id=name,
            variant="A",
            version="v3.0",
            fallback_reason=None,
            user=None,
            pair="EUR/USD",
            timeframe=of.timeframe,
            candle=candle,
            signal=said.signal,
            confidence=said.confidence,
            stage1_prob=said.stage1_prob,
            stage2_prob=said.stage2_prob,
            latency_us=300,
            slow=False,
        )
        yield ShadowScore(
            at, name, "EUR/USD", of.timeframe, candle, said.signal, said.confidence, scored.signal, scored.confidence
        )


def label(store: Store, name: str, of: Series, until: Micros) -> None:
    """Label the predictions on the candles that have ended by `until`, by the later ones among them."""
    ended = sum(opens + of.length <= until for opens in of.opens)
    if ended >= RULE.minimum_candles:
        times = [opens / 1000 for opens in of.opens[:ended]]
        later = LaterCandles("EUR/USD", of.timeframe, Candles.from_rows(of.rows[:ended]), times)
        evaluate(store, name, later, ChosenRule(RULE, of.timeframe, until))


def page(store: Store) -> str:
    """Run the experiment with a look every day, and return its last page."""
    repository, one = Repository(ROOT / "models" / "onnx"), hours()
    series = (one, four_hours(one))
    begin, end = one.opens[FIRST_BAR], one.opens[-1] + HOUR
    draft = Experiment(
        experiment_id="v30_vs_v31",
        name="v3.0 against v3.1 on the last months of 2017",
        description="Both versions score every hour and every four hours of EUR/USD.",
        variant_a="v3.0",
        variant_b="v3.1",
        traffic_split=1.0,
        mode="shadow",
        created_at=begin,
    )
    name = draft.experiment_id
    store.create(draft.activated(begin))
    a, b = (Detector(repository.read(version)) for version in draft.versions)
    waiting = sorted((record for of in series for record in records(of, a, b, draft)), key=lambda record: record.at)
    for day, until in enumerate([*range(begin + 24 * HOUR, end, 24 * HOUR), end]):
        store.drain(f"day {day}", 1, [record for record in waiting if until - 24 * HOUR < record.at <= until])
        for of in series:
            label(store, name, of, until)
        shown, look = computed(*read_recorded(store, name), store.looks(name), until)
        if look is not None:
            store.add_look(name, look)
    at = iso(end)
    return html(shown, at or "")


def picture(text: str) -> str:
    """Return an SVG that shows the page from its beginning to the drawing. A browser draws the page itself."""
    style = text[text.index("<style>") : text.index("</style>")]
    shown = text[text.index("<main>") : text.index("</figure></section>")]
    body = f'<body xmlns="http://www.w3.org/1999/xhtml">{shown}</figure></section></main></body>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'{style}</style><foreignObject width="{WIDTH}" height="{HEIGHT}">{body}</foreignObject></svg>\n'
    )


def main() -> None:
    """Write the page and the picture. The same files give the same bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, closing(open_store(f"sqlite:///{folder}/state.db")) as store:
        text = page(store)
    options.page.write_text(text)
    options.picture.write_text(picture(text))


if __name__ == "__main__":
    main()
