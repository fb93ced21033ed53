"""Loaded versions and the choice between them: state, snapshot, registry, routing, batching, circuit breaker."""
