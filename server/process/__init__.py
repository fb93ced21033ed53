"""Processes: gunicorn's workers, the keeper's process, and what they need of the machine."""
