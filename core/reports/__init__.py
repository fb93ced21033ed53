"""What the store's records say: evaluation by later candles, and the report of an experiment."""
