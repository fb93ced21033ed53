"""A worker's part of tracing. None of these modules is imported unless REVERSAL_TRACING is 1, except `phases`."""
