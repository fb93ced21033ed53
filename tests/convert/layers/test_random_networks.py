"""Random networks of the table's layers, compared with both frameworks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from convert.layers import network, table
from convert.untrusted.models.keras_files import Framework
from tests.convert import helpers
from tests.convert.layers import random_networks
from tests.convert.layers.random_networks import Network

TOLERANCE = 1e-5
# tf_keras takes twice as long to build a network.
FEW: dict[Framework, int] = {"tf_keras": 100, "keras": 200}
MANY: dict[Framework, int] = {"tf_keras": 700, "keras": 1_300}

both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)
quiet = pytest.mark.filterwarnings(
    "ignore:Layer '.*' .* was passed an input with a mask:UserWarning",
    "ignore:You are using a softmax over axis:UserWarning",
    # Keras draws the seeds of its layers. All weights are replaced, and dropouts have no effect.
    "ignore:Do not use the `random` module inside strategies",
)


def assert_parity(drawn: Network) -> None:
    note("\n".join(drawn.layers))
    graph = network.build(drawn.model, drawn.windows.shape[1:])
    assert not {"Loop", "Scan"} & set(helpers.operators(graph))
    expected = np.asarray(drawn.model(drawn.windows, training=False))
    found = helpers.graph_answers(graph, drawn.windows)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=TOLERANCE * max(1.0, float(np.abs(expected).max())))


def compare(framework: Framework, count: int) -> None:
    """Compare networks, the same ones in every run."""

    @settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(data=st.data())
    def each(data: st.DataObject) -> None:
        assert_parity(data.draw(random_networks.networks(framework)))

    each()


@both
@quiet
def test_random_networks(framework: Framework) -> None:
    compare(framework, FEW[framework])


@both
@quiet
@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_many_random_networks(framework: Framework) -> None:
    compare(framework, MANY[framework])


def test_every_kind_of_layer_is_drawn() -> None:
    """A new row of the table is one entry of the generator, or has its reason here."""
    with_jumps_or_states = {"Masking", "ThresholdedReLU"}
    like_dropout = {"ActivityRegularization", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D"}
    with_data = {"Normalization", "Embedding"}  # statistics of the training data, constant positions
    merging = {"Concatenate", *random_networks.ELEMENTWISE}
    drawn = {name.partition(" ")[0] for name in random_networks.KINDS}
    left_out = with_jumps_or_states | like_dropout | with_data | merging | table.MODELS | {"InputLayer"}
    assert drawn | left_out == table.KNOWN
