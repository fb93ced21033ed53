"""Analysis of the store's records: evaluation by later candles, and the report on an experiment."""
