"""The server's log: lines in one of two formats, written by a thread, so that a reader that stalls stops nothing."""
