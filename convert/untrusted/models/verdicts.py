"""What speaks against a model beyond its layers: several inputs, weights that are not finite, no probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convert.errors import Refused
from convert.untrusted.models.architecture import Output, Shape
from convert.untrusted.records import KerasFile, array

# Activations whose values are not within 0 to 1, so that the output cannot be a probability.
_UNBOUNDED = {"linear", "relu", "tanh", "elu", "selu", "gelu", "softplus", "softsign", "leaky_relu", "swish", "silu"}
# Layers that are such an activation.
_UNBOUNDED_LAYERS = {"ELU", "LeakyReLU", "PReLU", "ReLU", "ThresholdedReLU"}
_SOFTMAX = (2, 3)  # units that a softmax can have
_NAMED = 8  # weights in a message


def check_inputs(shapes: Sequence[Shape]) -> None:
    """Raise Refused for a model with several inputs."""
    if len(shapes) > 1:
        shown = ", ".join(map(str, shapes[:4]))
        raise Refused(
            f"the model has {len(shapes)} inputs, of the shapes {shown}; a stage has one window. If all can be computed"
            " from one, save a model with one input that does so and calls this one"
        )


def check_head(head: Output) -> None:
    """Raise Refused if the activation that the last layer itself states gives no probability."""
    of_layer = head.kind in {"Dense", "Activation"} and head.activation in _UNBOUNDED
    if head.direct and (of_layer or head.kind in _UNBOUNDED_LAYERS):
        what = head.activation if of_layer else head.kind
        article = "an" if str(what)[0] in "aeEiou" else "a"
        softmax = f'Dense({head.units}, activation="softmax")'
        way = softmax if head.units in _SOFTMAX else 'Dense(1, activation="sigmoid")'
        raise Refused.at(
            head.name,
            f"ends in {article} {what} activation: a price regression? A stage needs a probability, "
            f"so train it with the head {way}",
        )


def check_weights(file: KerasFile) -> None:
    """Raise Refused for weights that are not finite, which training leaves behind when it fails."""
    wrong = []
    for dataset, values in zip(file.model.datasets, file.values, strict=True):
        if np.dtype(dataset.dtype).kind == "f" and not np.isfinite(array(dataset.dtype, dataset.shape, values)).all():
            wrong.append(dataset.path.removeprefix("model_weights/")[:100])
    wrong = [path for path in wrong if not path.startswith("optimizer")]
    if wrong:
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise Refused(
            f"weights that are NaN or infinite, so the training failed: {', '.join(wrong[:_NAMED])}{more}; "
            "train the model again, such as with a lower learning rate or clipnorm"
        )
