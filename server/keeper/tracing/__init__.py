"""The keeper's part of tracing: it collects what the workers record, and exports it."""
