"""Read the text of LightGBM, and check all of it."""
