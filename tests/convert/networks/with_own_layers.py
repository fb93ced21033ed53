"""A model with the layers of a user's module."""

from __future__ import annotations

from convert.graph import Keras
from tests.convert import helpers

MODULE = "tests.convert.networks.own_layers"


def with_own_layers() -> Keras:
    helpers.framework("keras")
    from tests.convert.networks import own_layers  # noqa: PLC0415 - after the framework's settings

    return helpers.sequential(
        "keras",
        lambda k: [
            own_layers.Weighted(),
            k.TimeDistributed(own_layers.Doubled()),
            k.Dense(4, activation=own_layers.wave),
            k.GRU(3),
        ],
    )
