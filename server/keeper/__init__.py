"""The keeper: the process that owns the state, decides changes, and answers everything except predictions."""
