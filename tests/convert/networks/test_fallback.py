"""Networks that the table of layers does not have, through tf2onnx."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import table
from convert.networks import heads, ways, windows
from convert.networks.keras_model import KerasModel
from convert.networks.ways import BuiltNetwork
from convert.untrusted.models import keras_files
from convert.untrusted.models.keras_files import Framework
from core.bundles import onnx_file
from tests.convert import helpers

Build = Callable[[Keras], list[Keras]]

WINDOW = (helpers.STEPS, helpers.FEATURES)
both = pytest.mark.parametrize("framework", helpers.FRAMEWORKS)


def as_image(k: Keras) -> Keras:
    return k.Reshape((helpers.STEPS, helpers.FEATURES, 1))


# Each with the number of its loops in tf_keras and in keras.
CASES: dict[str, tuple[Build, tuple[int, int]]] = {
    "convolution over an image, with gelu": (
        lambda k: [as_image(k), k.Conv2D(2, 2, activation="gelu"), k.MaxPooling2D((2, 1)), k.Flatten()],
        (0, 0),
    ),
    "transposed convolution": (lambda k: [as_image(k), k.Conv2DTranspose(2, 2), k.Flatten()], (0, 0)),
    "lstm cell": (lambda k: [k.RNN(k.LSTMCell(4))], (0, 0)),
    "stacked cells": (lambda k: [k.RNN(k.StackedRNNCells([k.LSTMCell(4), k.GRUCell(3)]))], (1, 1)),
    "lstm of images, both ways": (
        lambda k: [as_image(k), k.Bidirectional(k.ConvLSTM1D(2, 2)), k.Flatten()],
        (2, 2),
    ),
    "einsum": (lambda k: [k.EinsumDense("abc,cd->abd", output_shape=(helpers.STEPS, 5)), k.GRU(3)], (0, 1)),
    "gates that no recurrent node has": (lambda k: [k.RNN(k.GRUCell(3, activation="selu"))], (1, 1)),
    "normalisation with its own numbers": (
        lambda k: [k.Normalization(mean=[0.1, -0.2, 0.3], variance=[1.0, 2.0, 0.5]), k.RNN(k.SimpleRNNCell(4))],
        (1, 1),
    ),
}


def loaded(framework: Framework, build: Build, folder: Path, suffix: str) -> KerasModel:
    return helpers.saved(helpers.sequential(framework, build), folder, suffix)


def of(model: Keras) -> KerasModel:
    """A model in memory as one stage."""
    reference = KerasModel.__new__(KerasModel)
    reference.model = model
    reference.window = WINDOW
    reference.arrangement = windows.find(WINDOW, None)
    reference.head = heads.of_any(model.outputs[0], WINDOW[0])
    return reference


def assert_same(built: BuiltNetwork, model: KerasModel) -> None:
    """The graph gives the model's answers, for any batch."""
    given = helpers.windows(64)
    expected = model.predict(given)
    assert np.ptp(expected) > 1e-3
    for count in (1, 8, 64):
        found = helpers.graph_answers(built.graph, given[:count])
        assert found.dtype == np.float32
        assert found.shape == (count, 1)
        np.testing.assert_allclose(found, expected[:count], atol=helpers.TOLERANCE, rtol=0.0)


@pytest.mark.long
@both
@pytest.mark.parametrize("case", CASES)
def test_network_beyond_the_table_agrees_and_is_clean(case: str, framework: Framework, tmp_path: Path) -> None:
    build, loops = CASES[case]
    model = loaded(framework, build, tmp_path, ".keras" if framework == "keras" else ".h5")
    first, second = (ways.build(model) for _ in range(2))
    assert (first.way, first.loops) == ("tf2onnx", loops[helpers.FRAMEWORKS.index(framework)])
    assert_same(first, model)
    data = first.graph.SerializeToString(deterministic=True)
    assert second.graph.SerializeToString(deterministic=True) == data, "names and order follow from the structure"

    graph = first.graph.graph
    ends = [
        (x.name, [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim])
        for x in (*graph.input, *graph.output)
    ]
    assert ends == [("window", ["batch", *WINDOW]), ("probability", ["batch", 1])]
    assert (onnx_file.opsets(data), onnx_file.forbidden(data), len(first.graph.functions)) == ({"": 17}, None, 0)
    used = names_used(graph)
    assert [x.name for x in graph.initializer if x.name not in used] == []
    assert [node.name for node in graph.node if not used.intersection(node.output)] == []
    for node in graph.node:
        if node.op_type in {"LSTM", "GRU", "RNN"}:
            assert not any(node.input[5:]), "a state of zeros is ONNX's default"


def names_used(graph: onnx.GraphProto) -> set[str]:
    found = {x.name for x in graph.output} | {name for node in graph.node for name in node.input}
    return found.union(*(names_used(x.g) for node in graph.node for x in node.attribute if x.HasField("g")))


@pytest.mark.long
def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    build, _ = CASES["lstm of images, both ways"]
    model = loaded("keras", build, tmp_path, ".keras")
    code = (
        "import sys; from pathlib import Path; from convert.networks import ways;"
        "from convert.networks.keras_model import KerasModel; from convert.untrusted.models import keras_files;"
        "model = KerasModel(keras_files.inspect(Path(sys.argv[1])), None, None);"
        "sys.stdout.buffer.write(ways.build(model).graph.SerializeToString(deterministic=True))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.keras")]
    run = subprocess.run(command, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    assert run.stderr == b"", "neither TensorFlow's log nor tf2onnx's"
    assert run.stdout == ways.build(model).graph.SerializeToString(deterministic=True)


def test_a_states_initial_value_that_is_not_zero_is_kept() -> None:
    keras = helpers.framework("keras")
    layers = keras.layers
    window = keras.Input(WINDOW)
    state = layers.Dense(3)(layers.Flatten()(window))
    x = layers.RNN(layers.LSTMCell(3))(window, initial_state=[state, state])
    model = helpers.randomised(keras.Model(window, layers.Dense(1, activation="sigmoid")(x)))
    built = ways.build(of(model))
    reference = SimpleNamespace(predict=lambda given: np.asarray(model(given)))
    assert built.way == "tf2onnx"
    assert_same(built, reference)  # type: ignore[arg-type]


@both
def test_layers_of_the_table_never_go_through_tf2onnx(framework: Framework) -> None:
    model = helpers.sequential(framework, lambda k: [k.LSTM(4, return_sequences=True), k.GRU(3)])
    built = ways.build(of(model), allow_fallback=False)
    assert (built.way, built.loops, built.reason) == ("layers", 0, "")


@both
def test_without_the_fallback_all_unknown_layers_are_named(framework: Framework) -> None:
    def build(k: Keras) -> list[Keras]:
        inner = helpers.framework(framework).Sequential([k.Conv2D(2, 2, name="first"), k.Conv2D(2, 1, name="second")])
        return [as_image(k), inner, k.Conv2DTranspose(2, 2, name="third"), k.Flatten()]

    model = helpers.sequential(framework, build)
    with pytest.raises(Refused, match=r"Conv2D 'first', Conv2D 'second', Conv2DTranspose 'third'.*--no-fallback"):
        ways.build(of(model), allow_fallback=False)
    reason = ways.build(of(model)).reason
    assert all(name in reason for name in ("'first'", "'second'", "'third'"))


@both
def test_an_option_that_the_table_lacks_is_the_reason(framework: Framework) -> None:
    model = helpers.sequential(
        framework, lambda k: [k.Masking(), k.Dense(helpers.STEPS), k.Softmax(name="odd"), k.LSTM(3)]
    )
    built = ways.build(of(model))
    assert built.way == "tf2onnx"
    assert "odd: Softmax of masked steps" in built.reason
    with pytest.raises(Refused, match="odd: Softmax of masked steps"):
        ways.build(of(model), allow_fallback=False)


@both
def test_a_stateful_layer_starts_without_a_state(framework: Framework, tmp_path: Path) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    window = keras.Input(batch_shape=(4, *WINDOW))
    x = layers.RNN(layers.GRUCell(3), stateful=True)(window)
    model = helpers.randomised(keras.Model(window, layers.Dense(1, activation="sigmoid")(x)))
    reference = helpers.saved(model, tmp_path)
    built = ways.build(reference)
    assert built.way == "tf2onnx"
    assert_same(built, reference)
    assert [layer.stateful for layer in reference.model.layers if hasattr(layer, "stateful")].count(True) == 1


@both
def test_a_network_that_draws_random_numbers_is_refused(framework: Framework) -> None:
    keras = helpers.framework(framework)
    layers = keras.layers
    window = keras.Input(WINDOW)
    x = layers.Flatten()(layers.Dropout(0.3, name="odd")(window, training=True))
    model = keras.Model(window, layers.Dense(1, activation="sigmoid")(x))
    with pytest.raises(Refused, match="odd: Dropout is called with training=True"):
        ways.build(of(model))


def test_tf2onnx_leaves_the_loggers_as_they_were(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = [logging.getLogger(name).level for name in ("", "tf2onnx", "tensorflow")]
    model = loaded("keras", CASES["stacked cells"][0], tmp_path, ".keras")
    ways.build(model)
    assert [logging.getLogger(name).level for name in ("", "tf2onnx", "tensorflow")] == before
    assert [record.name for record in caplog.records if record.name.startswith("tf2onnx")] == []


def test_a_loop_answers_the_same_from_several_threads(tmp_path: Path) -> None:
    model = loaded("keras", CASES["stacked cells"][0], tmp_path, ".keras")
    built = ways.build(model)
    assert built.loops == 1
    given = helpers.windows(8)
    expected = helpers.graph_answers(built.graph, given)
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: helpers.graph_answers(built.graph, given), range(40)))
        single = list(threads.map(lambda i: helpers.graph_answers(built.graph, given[i % 8 :][:1]), range(40)))
    assert all(np.array_equal(found, expected) for found in runs)
    np.testing.assert_allclose(np.concatenate(single), expected[np.arange(40) % 8], atol=1e-6)


def test_the_list_holds_classes_of_the_frameworks_and_nothing_that_reads_or_runs() -> None:
    from convert.untrusted.models.permitted import FALLBACK  # noqa: PLC0415

    classes = {name for k in helpers.FRAMEWORKS for name in dir(helpers.framework(k).layers)}
    tf_keras = keras_files.import_framework("tf_keras")
    tf_keras.src.layers.serialization.populate_deserializable_objects()
    classes |= tf_keras.src.layers.serialization.LOCAL.ALL_OBJECTS.keys()
    assert FALLBACK - classes <= {"GroupedQueryAttention"}  # of early releases of Keras 3
    words = ("Lambda", "Wrapper", "TFSM", "Jax", "Flax", "Torch", "Lookup", "Hash", "Text", "Random", "TFOp", "Op")
    assert [name for name in FALLBACK | table.KNOWN if name.startswith(words)] == []
