"""What workers and the keeper share: messages, and files of metrics."""
