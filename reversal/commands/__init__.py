"""The commands of `reversal` that are defined here; serve, convert, train and import are in their own packages."""
