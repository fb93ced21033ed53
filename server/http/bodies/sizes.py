"""The limits on the sizes of request bodies and of the values in them. No other module sets one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_MIB = 1 << 20

# A candle has up to 200 bytes with every digit that a number can have: 2,000 are 400 kB, and 800 kB with blanks. A
# number of a window has 25 bytes: 2 MiB are 80,000 numbers.
SINGLE = 2 * _MIB
# The same candles; or windows by version, of 24 kB each for two stages of 20 rows of 24 features: 170 versions.
COMPARISON = 4 * _MIB
# The limit of the contract. 1,024 items of 120 candles are 25 MB. 1,024 items of 2,000 candles would be 400 MB; the
# client has to send them in parts.
BATCH = 32 * _MIB
# A batch of tensors: 1,024 series of 800 candles of 40 bytes.
TENSORS = BATCH
# An outcome has up to 190 bytes: 10,000 are 1.9 MB, and 2.6 MB with blanks.
OUTCOMES = 4 * _MIB
# For calls without a body, and for creating an experiment: a description of 2,000 characters and a name of 200, with
# each character written as two escapes of six bytes, are 27 kB.
SMALL = 64 * 1024

# One outcome in a list, including unknown fields.
OUTCOME = 64 * 1024

# The versions that one comparison may name.
VERSIONS = 256

# The most commas, and so values, of a body that is decoded at once. 2,000 candles have 12,000 commas, or 50,000 if each
# has 19 more fields; a window of 500 rows of 100 features has 50,000. Decoding 50,000 empty lists takes 8 ms and 3 MiB,
# 50,000 fields of an object 15 ms and 12 MiB.
VALUES = 50_000
# The decoder takes 13 µs for a number such as 1e308 or 5e-324, 400 times as long as for others: 2 MiB of them take 4 s.
# Only numbers below 1e-290 or above 1e305 are so slow, and they have exponents of three digits, or at least 190 digits.
# 1,000 of them take 13 ms.
EXTREME_NUMBERS = 1_000
# A smaller body, such as a request of 120 candles, is not counted: it has at most 2,700 extreme numbers, or 35 ms.
UNCOUNTED = 16 * 1024


class BodyBounds(NamedTuple):
    """The limits on the bodies that an application reads.

    largest: bytes by the pattern of the path; the limit of all other paths is SMALL. timeout_ms: the time in which a
    body must arrive if the request names none; null for no limit.
    """

    largest: Mapping[str, int]
    timeout_ms: int | None


# A refused body up to this size is read again for its error. 2,000 candles with timestamps have half of it. Reading a
# larger one again would delay other requests, so its error has the place and the type, but not the value.
READ_AGAIN = 512 * 1024
