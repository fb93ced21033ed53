"""The mathematics of experiments: closed forms without I/O."""
