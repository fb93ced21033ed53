"""The keeper: the process that owns the state, decides changes, and answers everything but predictions."""
