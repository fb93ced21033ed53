"""From candles to features: indicators, the catalogue of their names, the fast table, labels."""
