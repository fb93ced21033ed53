"""The classes that a configuration may name beyond the table of layers.

The list is explicit and needs no framework. Each class computes from its configuration and its weights alone. Not here:
layers that hold code (Lambda), load other programs (TFSMLayer, JaxLayer, FlaxLayer, TorchModuleWrapper), read names of
files or vocabularies (StringLookup, IntegerLookup, TextVectorization, Hashing, HashedCrossing), or draw random numbers
in predictions (the layers of image augmentation).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from convert.layers import table

_DIMENSIONS = ("1D", "2D", "3D")
_BY_DIMENSION = (
    *("Conv", "Convolution", "ConvLSTM", "Cropping", "SpatialDropout", "UpSampling", "ZeroPadding"),
    *("AveragePooling", "AvgPool", "MaxPooling", "MaxPool", "AdaptiveAveragePooling", "AdaptiveMaxPooling"),
    *("GlobalAveragePooling", "GlobalAvgPool", "GlobalMaxPooling", "GlobalMaxPool"),
)
FALLBACK = frozenset(
    {
        *(f"{name}{n}" for name in _BY_DIMENSION for n in _DIMENSIONS),
        *(f"{name}{n}Transpose" for name in ("Conv", "Convolution") for n in _DIMENSIONS),
        *(f"{name}{n}" for name in ("DepthwiseConv", "SeparableConv", "SeparableConvolution") for n in ("1D", "2D")),
        *("LocallyConnected1D", "LocallyConnected2D", "EinsumDense", "Embedding", "ReversibleEmbedding"),
        *("RNN", "LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells", "CuDNNLSTM", "CuDNNGRU"),
        *("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention", "GroupedQueryAttention"),
        *("SpectralNormalization", "SyncBatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2"),
        *("Dot", "Identity", "STFTSpectrogram", "MelSpectrogram"),
        *("LSTMV1", "LSTMV2", "GRUV1", "GRUV2", "LSTMCellV1", "LSTMCellV2", "GRUCellV1", "GRUCellV2"),
    }
)
# A custom class cannot take one of these names, because older files name their classes without a module.
BUILT_IN = table.KNOWN | FALLBACK


class Permitted(msgspec.Struct, frozen=True):
    """What a file may contain: layers for tf2onnx, and the names of the user's own classes and functions."""

    fallback: bool = True
    classes: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()

    def custom_class(self, kind: str, registered: str | None, *, own: bool) -> str | None:
        """The name of the user's class that a file means. own: whether the file names a module of Keras."""
        names = [name for name in (registered, kind) if name in self.classes]
        return names[0] if names and not own else None

    def custom_function(self, *names: object) -> str | None:
        """The first of the names that is one of the user's functions."""
        return next((str(name) for name in names if name in self.functions), None)


DEFAULT = Permitted()
_rules: ContextVar[Permitted] = ContextVar("rules", default=DEFAULT)
_used: ContextVar[set[str]] = ContextVar("used")


@contextmanager
def within(rules: Permitted) -> Iterator[set[str]]:
    """Check configurations by these rules. Gives the custom names that were met.

    A configuration is walked by many functions that call each other, and only their ends ask for the rules.
    """
    used: set[str] = set()
    tokens = _rules.set(rules), _used.set(used)
    try:
        yield used
    finally:
        _rules.reset(tokens[0])
        _used.reset(tokens[1])


def rules() -> Permitted:
    """The rules of the configuration that is being checked."""
    return _rules.get()


def note(name: str) -> str:
    """Remember that a custom name was met."""
    _used.get().add(name)
    return name
