"""How much a request may be: the only place where the sizes of bodies, and of what is built of them, are bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_MIB = 1 << 20

# A candle has up to 200 bytes with every digit that a number can have, so that 2,000 are 400 kB, and twice that with
# blanks between. A window for each stage has 25 bytes a number: 80,000 of them.
SINGLE = 2 * _MIB
# As many candles; or windows by version: 24 kB for both stages of 20 rows of 24 features, so 170 versions.
COMPARISON = 4 * _MIB
# The contract's. 1,024 items of the 120 candles that versions recommend are 25 MB. 1,024 of 2,000 candles would be
# 400 MB, and have to be sent in parts.
BATCH = 32 * _MIB
# An outcome has up to 190 bytes, so that 10,000 are 1.9 MB, and 2.6 MB with blanks between.
OUTCOMES = 4 * _MIB
# Of the calls that take nothing, and of creating an experiment: a description of 2,000 characters and a name of 200,
# each character written as two escapes of six bytes, are 27 kB.
SMALL = 64 * 1024

# One outcome in a list of them, with whatever else the client writes beside its fields.
OUTCOME = 64 * 1024

# The versions that one comparison may name.
VERSIONS = 256

# What is decoded at once may hold so many values, told by its commas. 2,000 candles have 12,000, and 50,000 where each
# has 19 fields more; a window of 500 rows of 100 features has 50,000. So many empty lists take 8 ms and 3 MiB, so many
# fields of an object 15 ms and 12 MiB.
VALUES = 50_000
# The decoder takes 13 µs for a number such as 1e308 or 5e-324, 400 times what others take: 2 MiB of these are 4 s. Only
# numbers below 1e-290 or above 1e305 are so slow, and these have exponents of three digits, or 190 digits and more.
# 1,000 of them take 13 ms.
EXTREME_NUMBERS = 1_000
# What is smaller need not be counted: 2,700 extreme numbers are 35 ms. A request of 120 candles is.
UNCOUNTED = 16 * 1024


class BodyBounds(NamedTuple):
    """How large the bodies that an application reads may be, and how long they may take to come.

    largest: bytes by the pattern of the path; every other one may have SMALL. timeout_ms: where the client asks for no
    other time; null where bodies may take any time.
    """

    largest: Mapping[str, int]
    timeout_ms: int | None
