"""Reading untrusted files, file locks, and syncing folders."""
