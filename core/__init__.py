"""Bundles, detectors and predictions. Knows neither HTTP nor TensorFlow."""
