"""The command line. It may import every other package; no other package imports it."""
