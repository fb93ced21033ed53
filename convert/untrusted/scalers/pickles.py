"""A reader of pickles that can create only plain data and the stand-ins of convert/untrusted/scalers/estimators.py.

A pickle is a program for a small stack machine. Python's own machine calls every name that the pickle gives, sets
attributes on any object, and hashes to any depth. This machine finds only the names of the table in
convert/untrusted/scalers/names.py, each of which is a stand-in. It calls, changes and hashes nothing else.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator, Sized
from typing import Any, BinaryIO

from convert.errors import Refused
from convert.untrusted import limits
from convert.untrusted.scalers.estimators import FUNCTION, Damaged, Estimator, Name, StandIn
from convert.untrusted.scalers.names import NAMES, refusal

_ARGUMENTS_AT_MOST = 4  # the number that _frombuffer takes; a long tuple could be passed many times

_HASHABLE = (str, int, float, bool, bytes, type(None))  # hashing a deep tuple would exhaust the stack

_LONG_INTEGER = f"has an integer of more than {limits.INTEGER_BITS} bits, which no scaler has"


def _operations(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    """The operations of a pickle with their arguments. Raises Damaged for bytes that are none."""
    operations = pickletools.genops(file)
    while True:
        try:
            opcode, argument, _ = next(operations)
        except StopIteration:
            return
        except ValueError as error:
            # Python refuses to read integers of thousands of digits, and its text is for programmers.
            if "int_max_str_digits" in str(error):
                raise Refused(_LONG_INTEGER) from None
            raise Damaged(str(error)) from None
        yield opcode.name, argument


class Machine:
    """Reads one pickle, and the pickles behind it in the file, which are elements of joblib's arrays."""

    def __init__(self, file: BinaryIO, operations: Iterator[int] | None = None) -> None:
        self.file = file
        self._operations = iter(range(limits.OPERATIONS)) if operations is None else operations
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # the stacks below each mark
        self._memo: dict[int, Any] = {}
        self._functions = False  # whether a FunctionTransformer was found

    def read(self) -> object:
        """Read the object. Raises Refused for a name that no scaler needs, and any error for a damaged file."""
        for opcode, argument in _operations(self.file):
            if next(self._operations, None) is None:
                raise Refused(f"takes more than {limits.OPERATIONS:,} operations to read, far more than a scaler needs")
            if opcode == "STOP":
                break
            if opcode not in _OPERATIONS:
                raise Damaged(f"the operation {opcode}")
            _OPERATIONS[opcode](self, argument)
        return self.last(1)[0]

    def nested(self) -> object:
        """Read the object of the pickle that starts at the present position."""
        return Machine(self.file, self._operations).read()

    def push(self, value: object) -> None:
        """Push a constant that pickletools has decoded."""
        # The time of a calculation with integers grows with their length, and only longer ones share a hash at will.
        if type(value) is int and value.bit_length() > limits.INTEGER_BITS:
            raise Refused(_LONG_INTEGER)
        self._functions |= type(value) is Estimator and value.kind == FUNCTION
        self._stack.append(value)

    def mark(self, _: object) -> None:
        """Start a group of values."""
        self._below.append(self._stack)
        self._stack = []

    def group(self) -> list[Any]:
        """Take the values since the last mark off the stack."""
        if not self._below:
            raise Damaged("a group of values without a start")
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
        if not self._stack:
            raise Damaged("an operation with too few values")
        return self._stack[-1]

    def last(self, count: int) -> list[Any]:
        """Take the last values off the stack."""
        if len(self._stack) < count:
            raise Damaged("an operation with too few values")
        found = self._stack[-count:]
        del self._stack[-count:]
        return found

    def store(self, index: int | None) -> None:
        """Keep the last value in the memo."""
        self._memo[len(self._memo) if index is None else index] = self.top

    def extend(self, values: list[Any]) -> None:
        """Add values to the list or set that is the last value."""
        onto = self.top
        if type(onto) is list:
            onto.extend(values)
        elif type(onto) is set:
            onto.update(_hashable(values))
            _check_number(onto)
        else:
            raise Damaged(f"elements for a {type(onto).__name__}")

    def update(self, pairs: list[Any]) -> None:
        """Add alternating keys and values to the dict that is the last value."""
        onto = self.top
        if type(onto) is not dict:
            raise Damaged(f"items for a {type(onto).__name__}")
        onto.update(_items(pairs))
        _check_number(onto)

    def find(self, module: object, name: object) -> None:
        """Push the stand-in of a name. Only names in the table are found."""
        if type(module) is not str or type(name) is not str:
            raise Damaged("a name that is not text")
        if (module, name) not in NAMES:
            raise Refused(refusal(module, name, in_function=self._functions))
        self.push(NAMES[module, name])

    def call(self, name: object, arguments: Any) -> None:  # noqa: ANN401 - a pickle can hold any value
        """Create the stand-in for a call of a name."""
        if type(name) is not Name or name.make is None:
            raise Damaged("a call of a value that cannot be called")
        if type(arguments) is not tuple or len(arguments) > _ARGUMENTS_AT_MOST:
            raise Damaged("a call with unsuitable arguments")
        try:
            made = name.make(*arguments)
        except TypeError:
            raise Damaged("a call with unsuitable arguments") from None
        self.push(made)

    def instance(self, arguments: list[Any]) -> None:
        """Create a stand-in as the oldest protocol does."""
        if not arguments:
            raise Damaged("an object without a class")
        self.call(arguments[0], tuple(arguments[1:]))

    def instance_of(self, pair: str) -> None:
        """Create a stand-in as the oldest protocol does, with the name as a part of the operation."""
        arguments = self.group()
        self.find(*pair.split(" ", 1))
        self.call(self._stack.pop(), tuple(arguments))

    def call_with_keywords(self, name: object, arguments: object, keywords: object) -> None:
        """Create a stand-in. No part of a scaler takes keywords, so there may be none."""
        if keywords != {}:
            raise Damaged("a call with keywords")
        self.call(name, arguments)

    def build(self, state: object) -> None:
        """Give a stand-in its state. Other objects, such as classes and functions, are never changed."""
        onto = self.top
        if not isinstance(onto, StandIn):
            raise Damaged(f"state for a {type(onto).__name__}")
        onto.build(state, self)

    def get(self, index: int) -> None:
        """Push a value from the memo."""
        if index not in self._memo:
            raise Damaged("an operation with a value that was never kept")
        self.push(self._memo[index])


def _items(pairs: list[Any]) -> dict[Any, Any]:
    if len(pairs) % 2:
        raise Damaged("a key without a value")
    return dict(zip(_hashable(pairs[::2]), pairs[1::2], strict=True))


def _hashable(keys: list[Any]) -> list[Any]:
    for key in keys:
        if type(key) not in _HASHABLE:
            raise Damaged(f"a {type(key).__name__} as a key")
        # Equal keys are compared to their end, as often as the pickle says.
        if isinstance(key, str | bytes) and len(key) > limits.KEY_LENGTH:
            raise Refused(f"has a key of {len(key):,} characters; at most {limits.KEY_LENGTH:,} are read")
    _check_number(keys)
    return keys


def _check_number(keys: Sized) -> None:
    if len(keys) > limits.KEYS:
        raise Refused(f"has a dict or set of more than {limits.KEYS:,} keys, which no scaler has")


# By the names of pickletools, without extensions, persistent ids and buffers outside the file.
_OPERATIONS: dict[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda _m, _: None),  # the reader does not need these
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
