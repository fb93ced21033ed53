"""What is loaded and answers: state, snapshot, registry, routing, batching, circuit breaker."""
