"""Experiments: their life cycle, the assignment of users to variants, and the records of predictions."""
