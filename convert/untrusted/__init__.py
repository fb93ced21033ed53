"""Reads pickles and Keras files without running what they ask for."""
