"""Read pickles and Keras files without running any code that they name."""
