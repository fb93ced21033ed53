"""Operators between layers, such as `x + y`: operations of Keras 3 and functions of TensorFlow in Keras 2."""
