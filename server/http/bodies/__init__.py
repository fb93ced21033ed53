"""Reading the bytes of a request's body as JSON, within limits."""
