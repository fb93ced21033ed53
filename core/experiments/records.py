"""What is recorded of predictions under an experiment: the records of the journals, one JSON line each."""

from __future__ import annotations

import os
from typing import TypeAlias

import msgspec

from core.experiments.experiment import Micros, Variant
from core.inference.decision import Signal


class Exposure(msgspec.Struct, frozen=True, array_like=True, tag="exposure"):
    """A prediction that was answered under an experiment.

    variant: the one assigned, though another version may have answered: `fallback_reason` then tells why.
    user: a pseudonym; null in shadow mode where none was given. candle: see `candle_key`.
    latency_us: from the request's arrival to this record. slow: whether that is beyond the experiment's guardrail.
    warnings: their codes, each once.
    """

    prediction_id: str
    at: Micros
    experiment_id: str
    variant: Variant
    version: str
    fallback_reason: str | None
    user: str | None
    pair: str
    timeframe: str
    candle: str
    signal: Signal
    confidence: float
    stage1_prob: float
    stage2_prob: float | None
    latency_us: int
    slow: bool
    warnings: tuple[str, ...] = ()  # absent in journals that older releases wrote


class Failure(msgspec.Struct, frozen=True, array_like=True, tag="failure"):
    """A prediction under an experiment that no version could answer. Bad requests are none: they are the client's.

    In shadow mode also a candle that B could not score, of which each worker that sees it writes one.
    """

    at: Micros
    experiment_id: str
    variant: Variant


class ShadowScore(msgspec.Struct, frozen=True, array_like=True, tag="shadow"):
    """Both versions on the same candle, of an experiment in shadow mode. The first of a candle counts."""

    at: Micros
    experiment_id: str
    pair: str
    timeframe: str
    candle: str
    a_signal: Signal
    a_confidence: float
    b_signal: Signal
    b_confidence: float


class Unrecorded(msgspec.Struct, frozen=True, array_like=True, tag="unrecorded"):
    """How many exposures were answered but could not be kept: neither journal nor memory had room."""

    at: Micros
    experiment_id: str
    variant: Variant
    count: int


Record: TypeAlias = Exposure | Failure | ShadowScore | Unrecorded


def new_prediction_id(at: Micros) -> str:
    """A UUID of version 7: 48 bits of milliseconds, so that ids sort by time, and 74 random bits.

    RFC 9562, section 5.7; `uuid.uuid7` comes with Python 3.14.
    """
    number = ((at // 1000) & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
