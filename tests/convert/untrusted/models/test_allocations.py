"""Layers whose values or weights would fill the memory, in the models of both frameworks."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.untrusted import limits
from convert.untrusted.models import allocations, memory
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

Build = Callable[[Any, Keras], Keras]

STEPS = 2_000
LARGE: dict[str, Build] = {
    "MultiHeadAttention": lambda k, x: k.MultiHeadAttention(1, 4, name="odd")(x, x),
    "Attention": lambda k, x: k.Attention(name="odd")([x, x]),
    "AdditiveAttention": lambda k, x: k.AdditiveAttention(name="odd")([x, k.Dense(4)(x)]),
    "RepeatVector": lambda k, x: k.RepeatVector(STEPS, name="odd")(k.Flatten()(x)),
    "broadcast": lambda _k, x: x[:, :, None] * x[:, None],
    "constant": lambda _k, x: x[:, None] + np.zeros((1, 1_000, 1, 1), np.float32),
}


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
@pytest.mark.parametrize("case", LARGE)
def test_more_values_than_memory_is_meant_for_are_refused(case: str, framework: Framework) -> None:
    keras, k = helpers.framework(framework), helpers.framework(framework).layers
    for steps, refused in ((20, False), (STEPS, True)):
        window = keras.Input((None if case == "MultiHeadAttention" else steps, 4))
        model = keras.Model(window, LARGE[case](k, window))
        if refused:
            with pytest.raises(Refused, match=f"values for a window, at most {limits.VALUES:,}"):
                allocations.check_values(model, steps)
        else:
            allocations.check_values(model, steps)


@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_weights_are_counted_as_they_are_made(framework: Framework) -> None:
    keras = helpers.framework(framework)
    with allocations.limited_weights(keras, 100):
        keras.layers.Dense(9, use_bias=False).build((None, 11))
        layer = keras.layers.Dense(2, name="odd")
        with pytest.raises(allocations.TooLarge, match="layer 'odd' makes it 101 weights, more than the 100"):
            layer.build((None, 1))
    keras.layers.Dense(100).build((None, 100))


def test_a_proof_that_takes_far_more_memory_than_windows_do_is_refused() -> None:
    """A tensor's size can follow from a window's values, as that of tf.range(n) does."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(Refused, match="more than 6,144 MiB to compute its answers"), memory.limited_proof():
        np.ones(1 << 30, np.float64)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
