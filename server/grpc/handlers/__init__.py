"""What answers the calls of each method, and the standard health service."""
