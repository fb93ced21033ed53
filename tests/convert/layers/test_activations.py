"""Every activation of the tables, from a saved file to the graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from convert.errors import Refused
from convert.layers import activations
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers

IN_RECURRENT = [
    "elu",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "relu",
    "sigmoid",
    "softplus",
    "softsign",
    "tanh",
]
OF_BOTH = sorted([*IN_RECURRENT, "exponential", "gelu", "mish", "relu6", "selu", "silu", "softmax", "swish"])
# tf_keras finds some of these as functions of TensorFlow, some not at all.
OF_KERAS_3 = [
    "celu",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "log_sigmoid",
    "log_softmax",
    "tanh_shrink",
]
KNOWN = sorted([*OF_BOTH, *OF_KERAS_3])


def test_errors_list_the_known_functions() -> None:
    """The lists of this file are those of the tables, which the errors print."""
    keras = helpers.framework("keras")
    with pytest.raises(Refused, match=f"known: {', '.join(IN_RECURRENT)}$"):
        activations.fused("scope", keras.activations.glu)
    with pytest.raises(Refused, match=f"known: {', '.join(KNOWN)}$"):
        activations.apply(None, "scope", "x", keras.activations.glu)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize(
    ("framework", "name"),
    [*((framework, name) for framework in helpers.FRAMEWORKS for name in OF_BOTH), *(("keras", x) for x in OF_KERAS_3)],
)
def test_in_dense(framework: Framework, suffix: str, name: str, tmp_path: Path) -> None:
    model = helpers.sequential(framework, lambda k: [k.Dense(5, activation=name), k.LSTM(3)])
    helpers.assert_same(helpers.saved(model, tmp_path, suffix).model, helpers.windows())


@pytest.mark.parametrize("name", IN_RECURRENT)
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
def test_in_recurrent_layer(framework: Framework, kind: str, name: str, tmp_path: Path) -> None:
    model = helpers.sequential(
        framework, lambda k: [getattr(k, kind)(4, activation=name), k.Dense(3, activation="tanh")]
    )
    helpers.assert_same(helpers.saved(model, tmp_path).model, helpers.windows())
