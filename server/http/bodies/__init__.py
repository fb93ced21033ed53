"""From the bytes of a request to JSON, within limits."""
