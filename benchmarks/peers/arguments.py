"""What every peer is started with."""

from __future__ import annotations

import argparse


def arguments() -> argparse.Namespace:
    """`port`, `workers`, and `batch`: the most windows that may run together, for those that can be told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    return parser.parse_args()
