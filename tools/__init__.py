"""Checks of the project's own sources, for `make lint`."""
