"""From candles to features: indicators, the catalogue of feature names, the fast table, and labels."""
