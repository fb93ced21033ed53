"""What a layer or an operator is called with: values of the graph, constants, and options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convert.errors import Refused
from convert.graph import Keras, Tensor

Constant: TypeAlias = NDArray[Any]
# A value that a layer returns or takes. A constant has the axes that the framework sees, so its first one is broadcast
# over the batch, or is 1.
Value: TypeAlias = Tensor | Constant
# An argument of a call: a value, a list of values, or an option of the framework.
Argument: TypeAlias = Any


class Given(NamedTuple):
    """The arguments of one call. Its tensors are values of the graph; the rest is as in the framework.

    explicit_mask: whether Keras 3 passes the mask of the input as an argument.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    explicit_mask: bool = False

    @property
    def values(self) -> list[Value]:
        """All values, in the order of the arguments."""
        return [x for x in flat([self.args, *self.kwargs.values()]) if isinstance(x, Tensor | np.ndarray)]

    def tensors(self, scope: str, layer: Keras) -> list[Tensor]:
        """The tensors of a call that has no other arguments. Raises Refused for one, such as training=True.

        With training=True a dropout stays active in predictions.
        """
        named = [("argument", x) for x in flat(self.args)]
        named += [(name, x) for name, given in self.kwargs.items() for x in flat(given)]
        odd = [(name, x) for name, x in named if not (x is None or x is False or isinstance(x, Tensor))]
        if odd:
            texts = ["a constant" if isinstance(x, np.ndarray) else f"{name}={x!r}" for name, x in odd]
            raise Refused.at(
                scope, f"{type(layer).__name__} is called with {', '.join(texts)}, which cannot be converted"
            )
        return [x for _, x in named if isinstance(x, Tensor)]

    def bound(self, scope: str, kind: str, names: tuple[str, ...]) -> dict[str, Any]:
        """The arguments by parameter. Raises Refused for one whose name is not among `names`."""
        if len(self.args) > len(names):
            raise Refused.at(scope, f"{kind} is called with {len(self.args)} arguments, which cannot be converted")
        found = dict(zip(names, self.args, strict=False)) | dict(self.kwargs)
        found.pop("name", None)
        for name in found.keys() - set(names):
            if found.pop(name) not in (None, False):
                raise Refused.at(scope, f"{kind} is called with {name}, which cannot be converted")
        return found


def flat(value: object) -> Iterator[object]:
    """The leaves of nested lists, tuples and dicts."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from flat(part)
    else:
        yield value
