"""Bundles, detectors, predictions, experiments and their records. Depends on neither HTTP nor TensorFlow."""
