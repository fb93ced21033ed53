"""An experiment, which user gets which variant, and what is recorded of it."""
