"""The mathematics of experiments: closed forms, no I/O."""
