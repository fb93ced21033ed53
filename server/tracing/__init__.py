"""Tracing: which requests are recorded, and what is recorded of each. It is off unless REVERSAL_TRACING is 1."""
