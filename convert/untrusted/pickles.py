"""A reader of pickles that can only make plain data and the stand-ins of convert/untrusted/estimators.py.

A pickle is a program for a small stack machine. Python's own machine calls what it finds, sets attributes on whatever
it has in hand, and hashes as deep as it is told to. This one finds the names of the table at the end, each of which is
a stand-in, and calls, changes and hashes nothing else.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO

from sklearn.pipeline import Pipeline

from convert.errors import Refused
from convert.untrusted.estimators import SCALERS, Array, Dtype, Estimator, Latin1, Name, StandIn, StoredArray

# A scaler takes some hundred operations. One byte can be an operation that makes an object of 64.
_OPERATIONS_AT_MOST = 1_000_000

_ARGUMENTS_AT_MOST = 4  # what _frombuffer takes; a long tuple could be handed over again and again

_HASHABLE = (str, int, float, bool, bytes, type(None))  # deep tuples would exhaust the stack on hashing


class Machine:
    """Reads one pickle, and those that lie beside it in the file as the elements of joblib's arrays."""

    def __init__(self, file: BinaryIO, operations: Iterator[int] | None = None) -> None:
        self.file = file
        self._operations = iter(range(_OPERATIONS_AT_MOST)) if operations is None else operations
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks under each mark
        self._memo: dict[int, Any] = {}

    def read(self) -> object:
        """The object; raises Refused for a name that is no part of a scaler, and errors of any kind for damage."""
        for opcode, argument, _ in pickletools.genops(self.file):
            if next(self._operations, None) is None:
                raise Refused(f"takes more than {_OPERATIONS_AT_MOST} operations to read, which no scaler does")
            if opcode.name == "STOP":
                break
            if opcode.name not in _OPERATIONS:
                raise ValueError(f"the operation {opcode.name}")
            _OPERATIONS[opcode.name](self, argument)
        return self._stack.pop()

    def nested(self) -> object:
        """The object of the pickle that starts here."""
        return Machine(self.file, self._operations).read()

    def push(self, value: object) -> None:
        """A constant, as pickletools has decoded it."""
        self._stack.append(value)

    def mark(self, _: object) -> None:
        """Start a group of values."""
        self._below.append(self._stack)
        self._stack = []

    def group(self) -> list[Any]:
        """The values since the last mark."""
        found, self._stack = self._stack, self._below.pop()
        return found

    def drop_group(self) -> None:
        """Drop the values since the last mark."""
        self.group()

    def pop(self, _: object) -> None:
        """Drop the last value, or the mark."""
        if self._stack:
            self._stack.pop()
        else:
            self.group()

    @property
    def top(self) -> object:
        """The last value."""
        return self._stack[-1]

    def last(self, count: int) -> list[Any]:
        """The last values, taken off."""
        if len(self._stack) < count:
            raise ValueError("an operation on values that are not there")
        found = self._stack[-count:]
        del self._stack[-count:]
        return found

    def store(self, index: int | None) -> None:
        """Keep the last value for later."""
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]

    def extend(self, values: list[Any]) -> None:
        """Add to the list, or set, that is the last value."""
        onto = self.top
        if type(onto) is list:
            onto.extend(values)
        elif type(onto) is set:
            onto.update(_hashable(values))
        else:
            raise ValueError(f"elements for a {type(onto).__name__}")

    def update(self, pairs: list[Any]) -> None:
        """Add keys and values by turns to the dict that is the last value."""
        onto = self.top
        if type(onto) is not dict:
            raise ValueError(f"items for a {type(onto).__name__}")
        onto.update(_items(pairs))

    def find(self, module: object, name: object) -> None:
        """Look a name up in the table, and nowhere else."""
        if type(module) is not str or type(name) is not str:
            raise ValueError("a name that is no text")
        if (module, name) not in _NAMES:
            raise Refused(f"asks for {module}.{name}, which is no part of a scaler that can be converted; nothing ran")
        self.push(_NAMES[module, name])

    def call(self, name: object, arguments: Any) -> None:  # noqa: ANN401 - whatever the pickle holds
        """Make the stand-in of a name's call."""
        if type(name) is not Name or name.make is None:
            raise ValueError("a call of what is not to be called")
        if type(arguments) is not tuple or len(arguments) > _ARGUMENTS_AT_MOST:
            raise ValueError("a call with no fit arguments")
        self.push(name.make(*arguments))

    def instance(self, arguments: list[Any]) -> None:
        """Make a stand-in as the oldest protocol does."""
        self.call(arguments[0], tuple(arguments[1:]))

    def instance_of(self, pair: str) -> None:
        """Make a stand-in as the oldest protocol does, the name being part of the operation."""
        arguments = self.group()
        self.find(*pair.split(" ", 1))
        self.call(self._stack.pop(), tuple(arguments))

    def call_with_keywords(self, name: object, arguments: object, keywords: object) -> None:
        """Make a stand-in; nothing that a scaler consists of takes keywords."""
        if keywords != {}:
            raise ValueError("a call with keywords")
        self.call(name, arguments)

    def build(self, state: object) -> None:
        """Give a stand-in its state: never a class, a function or anything else of ours."""
        onto = self.top
        if not isinstance(onto, StandIn):
            raise TypeError(f"state for a {type(onto).__name__}")
        onto.build(state, self)

    def get(self, index: int) -> None:
        """A value that was kept."""
        self.push(self._memo[index])


def _items(pairs: list[Any]) -> dict[Any, Any]:
    return dict(zip(_hashable(pairs[::2]), pairs[1::2], strict=True))


def _hashable(keys: list[Any]) -> list[Any]:
    for key in keys:
        if type(key) not in _HASHABLE:
            raise TypeError(f"a {type(key).__name__} as a key")
    return keys


# By the names of pickletools. Extensions, persistent ids and buffers from outside the file are not among them.
_OPERATIONS: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda _m, _: None),  # these tell nothing that the operations do not
    **dict.fromkeys(
        ("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"), Machine.push
    ),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), Machine.push),
    **dict.fromkeys(("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), Machine.push),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), Machine.push),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "MARK": Machine.mark,
    "POP": Machine.pop,
    "POP_MARK": lambda m, _: m.drop_group(),
    "DUP": lambda m, _: m.push(m.top),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine.store),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine.get),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "LIST": lambda m, _: m.push(m.group()),
    "APPEND": lambda m, _: m.extend(m.last(1)),
    "APPENDS": lambda m, _: m.extend(m.group()),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "TUPLE": lambda m, _: m.push(tuple(m.group())),
    "TUPLE1": lambda m, _: m.push(tuple(m.last(1))),
    "TUPLE2": lambda m, _: m.push(tuple(m.last(2))),
    "TUPLE3": lambda m, _: m.push(tuple(m.last(3))),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "DICT": lambda m, _: m.push(_items(m.group())),
    "SETITEM": lambda m, _: m.update(m.last(2)),
    "SETITEMS": lambda m, _: m.update(m.group()),
    "EMPTY_SET": lambda m, _: m.push(set()),
    "ADDITEMS": lambda m, _: m.extend(m.group()),
    "FROZENSET": lambda m, _: m.push(frozenset(_hashable(m.group()))),
    "GLOBAL": lambda m, pair: m.find(*pair.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.find(*m.last(2)),
    "REDUCE": lambda m, _: m.call(*m.last(2)),
    "NEWOBJ": lambda m, _: m.call(*m.last(2)),
    "NEWOBJ_EX": lambda m, _: m.call_with_keywords(*m.last(3)),
    "OBJ": lambda m, _: m.instance(m.group()),
    "INST": lambda m, pair: m.instance_of(pair),
    "BUILD": lambda m, _: m.build(*m.last(1)),
}


def _reconstruct(*_: object) -> Array:
    """How NumPy starts an array: empty, its state following."""
    return Array()


def _scalar(dtype: object, data: object) -> Array:
    return Array((), dtype, "C", data)


def _from_buffer(data: object, dtype: object, shape: object, order: object) -> Array:
    return Array(shape, dtype, order, data)


def _reconstructor(name: object, _base: object, _state: object) -> object:
    """How protocols 0 and 1 start an object; they look its class up before."""
    if type(name) is not Name or name.make is None:
        raise ValueError("an object of no class")
    return name.make()


def _names() -> dict[tuple[str, str], Name]:
    """Names that moved between releases are listed under every name that they had."""
    table = {
        ("sklearn.pipeline", "Pipeline"): Name(partial(Estimator, Pipeline)),
        ("joblib.numpy_pickle", "NumpyArrayWrapper"): Name(StoredArray),
        ("_codecs", "encode"): Name(Latin1),
        ("numpy", "dtype"): Name(Dtype),
        ("numpy", "ndarray"): Name(),
    }
    for scaler in SCALERS:
        for module in ("sklearn.preprocessing", "sklearn.preprocessing.data", "sklearn.preprocessing._data"):
            table[module, scaler.__name__] = Name(partial(Estimator, scaler))
    for package in ("numpy.core", "numpy._core"):
        table[f"{package}.multiarray", "_reconstruct"] = Name(_reconstruct)
        table[f"{package}.multiarray", "scalar"] = Name(_scalar)
        table[f"{package}.numeric", "_frombuffer"] = Name(_from_buffer)
    for module in ("copyreg", "copy_reg"):
        table[module, "_reconstructor"] = Name(_reconstructor)
    for module in ("builtins", "__builtin__"):
        table[module, "object"] = Name()
    return table


_NAMES = _names()
