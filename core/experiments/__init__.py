"""An experiment, who gets which variant, and what is recorded of it."""
