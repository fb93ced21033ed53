"""Reading without trust, and locks: what the other rooms do with files."""
