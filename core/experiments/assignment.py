"""Which variant a user gets: a pure function of two names, and how a user is written down."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from core.experiments.experiment import Experiment, Variant

BUCKETS = 10_000


# A user comes back with every candle, and the hash is a third of what an experiment costs an answer.
@lru_cache(maxsize=16_384)
def bucket(user: str, experiment_id: str) -> int:
    """The user's bucket, 0 to 9999: MD5 of `user:experiment_id` in UTF-8, as one number, modulo 10,000.

    This is version 1, which users have lived with: another hash would move them. MD5 spreads, it protects nothing.
    """
    digest = hashlib.md5(f"{user}:{experiment_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest) % BUCKETS


def assign(user: str, experiment: Experiment) -> Variant:
    """A where the user's bucket lies below A's share of the traffic, else B."""
    return "A" if bucket(user, experiment.experiment_id) / BUCKETS < experiment.traffic_split else "B"


def pseudonym(user: str, key: bytes) -> str:
    """What is stored of a user: a keyed hash, 128 bits in hexadecimal. Without the key no list of names finds it."""
    return hashlib.blake2b(user.encode(), key=key, digest_size=16).hexdigest()
