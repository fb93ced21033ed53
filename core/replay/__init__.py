"""Replay: what versions would have answered over past candles, whether one is better, and what trades would have made."""
