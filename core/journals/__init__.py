"""What was answered, on disk before it is in the store."""
