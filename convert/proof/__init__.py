"""Proof that a graph computes what the framework computes."""
