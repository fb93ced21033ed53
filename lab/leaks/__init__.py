"""An audit of how a detector is made: which of its steps know the future. By behaviour, never by names."""
