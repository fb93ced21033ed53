"""What the log says of requests: their ids, and the access log."""
