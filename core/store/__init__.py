"""Storage of experiments, exposures, outcomes and the active version: SQLite, or PostgreSQL for several machines."""

from core.store.opening import check_url, open_store

__all__ = ["check_url", "open_store"]
