"""The variant of a user, a pure function of the ids of user and experiment and of the block; and its pseudonym."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from core.experiments.experiment import Experiment, Variant
from core.features.timeframes import PERIODS

BUCKETS = 10_000
# In crossover mode a user keeps its variant for this many candles. A day of hours: long enough that most trades end in
# the block in which they began, short enough that a month has 30 blocks.
BLOCK_CANDLES = 24


# Cached because a user returns with every candle, and the hash is a third of an experiment's cost per answer.
@lru_cache(maxsize=16_384)
def bucket(user: str, experiment_id: str) -> int:
    """The user's bucket, 0 to 9999: MD5 of `user:experiment_id` in UTF-8, as one number, modulo 10,000.

    The old service used the same hash. Another hash would move users to the other variant. MD5 serves here to spread
    users evenly, not to protect their ids.
    """
    digest = hashlib.md5(f"{user}:{experiment_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest) % BUCKETS


def assign(user: str, experiment: Experiment, block: str = "") -> Variant:
    """A if the user's bucket lies below A's share of the traffic, else B.

    In crossover mode, each `block` of a user has a bucket of its own: the hash of `user:experiment_id:block`.
    """
    hashed = f"{experiment.experiment_id}:{block}" if block else experiment.experiment_id
    return "A" if bucket(user, hashed) / BUCKETS < experiment.traffic_split else "B"


def block_of(opens: float, timeframe: str) -> str:
    """The block of a candle in crossover mode: the timeframe, and the number of the block since 1970.

    opens: when the candle opened, in milliseconds since 1970, UTC. Blocks are the same for all pairs.
    """
    return f"{timeframe}:{int(opens // (BLOCK_CANDLES * PERIODS[timeframe]))}"


@lru_cache(maxsize=16_384)  # as above: a user returns
def pseudonym(user: str, key: bytes) -> str:
    """The stored form of a user's id: a keyed hash, 128 bits in hexadecimal.

    Without the key, a list of ids cannot be tested against it.
    """
    return hashlib.blake2b(user.encode(), key=key, digest_size=16).hexdigest()
