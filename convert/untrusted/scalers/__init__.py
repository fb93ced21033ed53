"""Read pickled scalers, without running code from them."""
