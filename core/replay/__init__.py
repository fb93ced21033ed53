"""Replay: what versions would have answered over past candles, whether one is better, what trades made."""
