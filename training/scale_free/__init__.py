"""v3.2, "Scale-free": one detector for all pairs."""
