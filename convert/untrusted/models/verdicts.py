"""What speaks against a model beyond its layers: weights that are not finite, and a head without probability."""

from __future__ import annotations

import numpy as np

from convert.errors import Refused
from convert.untrusted.models.architecture import Output
from convert.untrusted.records import KerasFile, array

# Activations whose values are not within 0 to 1, so that the output cannot be a probability.
_UNBOUNDED = {"linear", "relu", "tanh", "elu", "selu", "gelu", "softplus", "softsign", "leaky_relu", "swish", "silu"}
_NAMED = 8  # weights in a message


def check_head(head: Output) -> None:
    """Raise Refused if the activation that the last layer itself states gives no probability."""
    if head.direct and head.kind in {"Dense", "Activation"} and head.activation in _UNBOUNDED:
        way = 'Dense(1, activation="sigmoid")' if head.units in (None, 1) else "a softmax"
        raise Refused.at(
            head.name,
            f"ends in a {head.activation} activation: a price regression? A stage needs a probability, "
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
