"""The handlers of the endpoints that a worker answers."""
