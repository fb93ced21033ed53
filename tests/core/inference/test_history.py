"""A whole history is answered to the bit as one window after the other."""

from __future__ import annotations

import numpy as np
import pytest

from core.bundles.repository import Repository
from core.errors import ServiceError
from core.features.candles import Candles
from core.features.labels import UNKNOWN
from core.inference.detector import Detector
from core.inference.history import CODES, HistoryAnswers, answer_history
from core.inference.inputs import CandleWindows
from tests.core.replay.markets import broker, changed_after, walk
from tests.market import ONNX

VERSIONS = Repository(ONNX).listing().versions


@pytest.fixture(scope="module", params=VERSIONS)
def detector(request: pytest.FixtureRequest) -> Detector:
    return Detector(Repository(ONNX).read(request.param))


def one_by_one(detector: Detector, candles: Candles, rows: range) -> HistoryAnswers:
    """The answers for single windows, as a client that asks after each candle gets them."""
    found = HistoryAnswers.empty(len(candles))
    for row in rows:
        part = slice(max(0, row + 1 - detector.recommended_candles), row + 1)
        assert candles.times is not None
        (result,) = detector.predict([CandleWindows(Candles(candles.values[:, part], candles.times[part]))])
        if isinstance(result, ServiceError):
            continue
        decision = result.decision
        found.signal[row] = CODES[decision.signal]
        found.confidence[row], found.stage1_prob[row] = decision.confidence, decision.stage1_prob
        found.stage2_prob[row] = np.nan if decision.stage2_prob is None else decision.stage2_prob
        found.out_of_range[row] = any(warning.code == "OUT_OF_RANGE" for warning in result.warnings)
    return found


def same(a: HistoryAnswers, b: HistoryAnswers) -> bool:
    """To the bit, also NaN."""
    return all(np.asarray(one).tobytes() == np.asarray(other).tobytes() for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize(("pair", "first"), [("GBPUSD", 0), ("USDJPY", 30_000), ("EURGBP", 49_500)])
def test_real_hours_are_answered_as_single_windows(detector: Detector, pair: str, first: int) -> None:
    candles = broker(pair).part(slice(first, first + 700)).candles
    found = answer_history(detector, candles, threads=2)
    assert (found.signal == UNKNOWN).sum() == detector.required_candles - 1
    assert same(found, one_by_one(detector, candles, range(700)))


def test_the_number_of_threads_and_the_rows_change_nothing(detector: Detector) -> None:
    candles = walk(500)
    whole = answer_history(detector, candles)
    calls: list[tuple[int, int]] = []
    part = answer_history(
        detector,
        candles,
        rows=range(210, 401),
        threads=3,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert same(part.rows(slice(210, 401)), whole.rows(slice(210, 401)))
    assert (part.signal[:210] == UNKNOWN).all()
    assert (part.signal[401:] == UNKNOWN).all()
    assert calls == sorted(calls)
    assert calls[-1] == (191, 191)


def test_a_short_history_has_no_answer(detector: Detector) -> None:
    assert (answer_history(detector, walk(10)).signal == UNKNOWN).all()


@pytest.mark.parametrize("at", [150, 333, 498])
def test_the_future_changes_no_earlier_answer(detector: Detector, at: int) -> None:
    candles = walk(500)
    before = answer_history(detector, candles).rows(slice(at + 1))
    after = answer_history(detector, changed_after(candles, at))
    assert same(before, after.rows(slice(at + 1)))
    assert not same(answer_history(detector, candles), after)  # the change is one that is seen


def test_an_error_of_the_network_ends_in_no_answer_and_an_interrupt_ends_at_once(detector: Detector) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt(done, total)

    with pytest.raises(KeyboardInterrupt):
        answer_history(detector, walk(500), progress=interrupt)
