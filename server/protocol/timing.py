"""How the time of a prediction is split and counted. Workers count by these names, and the keeper reads the counts."""

from __future__ import annotations

# Of the times of single predictions, in seconds. A prediction from 120 candles takes a few hundred microseconds; one
# that takes far longer has waited. 0.5 is the limit that is promised for the 99th percentile.
BUCKETS = (50e-6, 100e-6, 200e-6, 300e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0)
# In their order; together they are the time from the body's last byte to the encoded answer.
PHASES = ("parse", "queue", "features", "stage1", "stage2", "encode")
