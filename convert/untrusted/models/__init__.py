"""Read the files of Keras models, without running code from them."""
