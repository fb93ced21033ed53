"""The records of predictions under an experiment. A journal holds one record per line, in JSON."""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

import msgspec

from core.experiments.experiment import Micros, Variant
from core.features.timeframes import Timeframe
from core.inference.decision import Signal


class Exposure(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="exposure"):
    """A prediction that was answered under an experiment.

    variant: the assigned variant. If another version answered, `fallback_reason` gives the reason.
    user: a pseudonym; null in shadow mode if the request named no user. candle: see core.features.candle_keys.
    latency_us: from the request's arrival to this record. slow: whether that exceeds the guardrail `max_p99_ms`.
    warnings: the codes of the warnings, each once. window: the key of the whole input in shadow mode, where B scores
    each input once; empty in other modes (see core.features.candle_keys). block: the block of candles in crossover
    mode; empty in other modes (see core.experiments.assignment).
    """

    prediction_id: str
    at: Micros
    experiment_id: str
    variant: Variant
    version: str
    fallback_reason: str | None
    user: str | None
    pair: str
    timeframe: Timeframe
    candle: str
    signal: Signal
    confidence: float
    stage1_prob: float
    stage2_prob: float | None
    latency_us: int
    slow: bool
    warnings: tuple[str, ...] = ()  # absent in journals of older releases
    window: str = ""  # likewise
    block: str = ""  # likewise


class Failure(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="failure"):
    """A prediction under an experiment that no version could answer. An invalid request is not a failure."""

    at: Micros
    experiment_id: str
    variant: Variant


class Refusal(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="refused"):
    """A request under an experiment that only the assigned version refuses: the other one would take the input.

    A body that no version takes is not a refusal, and neither is OutOfRange, which is about the market.
    """

    at: Micros
    experiment_id: str
    variant: Variant


class ShadowScore(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="shadow"):
    """The predictions of both versions on the same input, in shadow mode. Only the first score of an input counts.

    b_signal, b_confidence: null if B could not score it. A later score by another worker then counts.
    window: the key of the input. Two inputs that end with the same candle, such as 70 and 120 candles, are two windows.
    """

    at: Micros
    experiment_id: str
    pair: str
    timeframe: Timeframe
    candle: str
    a_signal: Signal
    a_confidence: float
    b_signal: Signal | None
    b_confidence: float | None
    window: str = ""  # absent in journals of older releases


class Unrecorded(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="unrecorded"):
    """The number of exposures that were answered and then dropped, because neither journal nor memory had room."""

    at: Micros
    experiment_id: str
    variant: Variant
    count: int


# Why a prediction is beside the active experiment: it names no user in split mode, or it names its version.
BesideReason: TypeAlias = Literal["without_user", "named_version"]


class Beside(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="beside"):
    """The number of predictions that a worker was asked for beside the active experiment, since its last such record.

    at: when the record was written.
    """

    at: Micros
    experiment_id: str
    reason: BesideReason
    count: int


Record: TypeAlias = Exposure | Failure | Refusal | ShadowScore | Unrecorded | Beside


def prediction_moment(at: Micros) -> str:
    """The first two groups of an id, which predictions that run together share: 48 bits of milliseconds."""
    return (at // 1000 & 0xFFFF_FFFF_FFFF).to_bytes(6).hex("-", -4)


def new_prediction_id(moment: str) -> str:
    """A UUID of version 7: its `prediction_moment`, by which ids sort, and 74 random bits.

    RFC 9562, section 5.7; `uuid.uuid7` comes with Python 3.14.
    """
    if not _random:
        _random.extend(_fresh())
    return moment + _random.pop()


# The last three groups of ids to come, so that the kernel is asked for random bits once for many ids.
_random: list[str] = []
_AT_ONCE = 256
# A child process must not use what its parent may use too.
os.register_at_fork(after_in_child=_random.clear)

_GROUPS = b"-....-....-............"
# The variant 0b10 is in the upper two bits of its digit.
_VARIANT = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)


def _fresh() -> list[str]:
    """The random groups of 256 ids, with the version 7 and the variant 0b10 in their places.

    Each digit is put into its place for all ids at once, which takes a third of the time of one id after the other.
    """
    width, count = len(_GROUPS) + 1, _GROUPS.count(b".")
    digits = os.urandom(count // 2 * _AT_ONCE).hex().encode()
    made = bytearray((_GROUPS + b",") * _AT_ONCE)
    places = [place for place, group in enumerate(_GROUPS) if group != ord("-")]
    for digit, place in enumerate(places):
        made[place::width] = digits[digit::count]
    made[places[0] :: width] = b"7" * _AT_ONCE
    made[places[4] :: width] = digits[4::count].translate(_VARIANT)
    return made[:-1].decode().split(",")
