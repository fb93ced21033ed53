"""A worker's connections to the keeper: it follows the keeper's state, and forwards requests."""
