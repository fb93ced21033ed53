"""A worker: answers predictions, forwards the rest to the keeper."""
