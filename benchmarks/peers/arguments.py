"""The command line arguments of every peer."""

from __future__ import annotations

import argparse


def arguments() -> argparse.Namespace:
    """Parse `port`, `workers`, and `batch`: the largest number of windows in a run, for peers with batches."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    return parser.parse_args()
