"""Journals: records of answered predictions on disk, until they are in the store."""
