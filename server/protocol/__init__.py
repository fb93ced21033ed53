"""What worker and keeper share: messages, and the files of metrics."""
