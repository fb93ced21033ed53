"""Bundles on disk: the manifest and graphs of a version, checked before anything is loaded."""
