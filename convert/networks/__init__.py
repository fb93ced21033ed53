"""A loaded Keras model as one stage of a detector."""
