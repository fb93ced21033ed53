"""Read users' files in a process of its own, with limits on its memory and time: the wall behind the declared limits.

The process writes frames into a temporary file: the values of datasets as they are, and one record a file as
MessagePack, which this process decodes by its type. A process that is ended by a limit leaves the frames of the files
before the guilty one.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal, NamedTuple, TypeAlias

import msgspec

from convert.errors import Refused, line
from convert.untrusted import limits
from convert.untrusted.models import permitted
from convert.untrusted.models.permitted import Permitted
from convert.untrusted.records import Buffer, Description, KerasFile, Model, ScalerFile, TreesFile

FileContents: TypeAlias = KerasFile | TreesFile | ScalerFile | Description
# A file of the role `any` is described, whatever it is.
Role: TypeAlias = Literal["model", "scaler", "any"]

# The memory of the reading process beyond that of its libraries, and its CPU time: for any file, and for its size.
MEMORY, MEMORY_FACTOR = 160 * limits.MIB, 4
SECONDS, BYTES_A_SECOND = 0.3, 64 * limits.MIB
# Time on the clock passes also while a disk is waited for.
WAITING, WAITING_FACTOR = 30.0, 10

_START = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.path[:] = json.loads(sys.argv.pop(1))
from convert.untrusted import contained
contained.main()
"""
_MESSAGE = 1_000  # characters: a message can name a dozen layers
_FRAME = struct.Struct("<cQ")
_VALUES, _RECORD = b"V", b"R"


class _Failure(msgspec.Struct, frozen=True, tag="failure"):
    """A file that is refused. memory: because it does not fit into the memory that is allowed."""

    message: str
    memory: bool = False


class _Read(msgspec.Struct, frozen=True, tag="read"):
    contents: msgspec.Raw
    sha256: str
    size: int


class Contents(NamedTuple):
    """The contents of a file, and its size in bytes and SHA-256."""

    contents: FileContents
    sha256: str
    size: int


class FileRefused(Exception):
    """A file is refused. index: of the file."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def read(files: Sequence[tuple[Role, Path]], rules: Permitted = permitted.DEFAULT) -> list[Contents]:
    """Read and check files. rules: what models may contain. Raises FileRefused for the first that is refused."""
    found = []
    for each in read_all(files, rules):
        if isinstance(each, FileRefused):
            raise each
        found.append(each)
    return found


def read_all(files: Sequence[tuple[Role, Path]], rules: Permitted = permitted.DEFAULT) -> list[Contents | FileRefused]:
    """Read and check files. The result has the refusal of a file in its place."""
    found: list[Contents | FileRefused] = []
    while len(found) < len(files):  # a process that a limit has ended leaves files for the next one
        found += _read(files[len(found) :], len(found), rules)
    return found


def _read(files: Sequence[tuple[Role, Path]], first: int, rules: Permitted) -> list[Contents | FileRefused]:
    """Results up to the file that has ended the process. first: the number of the first file."""
    # Paths cannot hold a NUL, and no file can be named like an option, because its path is absolute.
    tasks = [f"{role}:{path.absolute()}" for role, path in files]
    command = [sys.executable, "-P", "-c", _START, json.dumps(sys.path), msgspec.json.encode(rules).decode(), *tasks]
    # Threads of BLAS take memory, and no library may be loaded because a file names its filter.
    environ = os.environ | {"OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"}
    with TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, env=environ)  # noqa: S603 - ours
        try:
            code = process.wait(sum(_waiting(path.stat().st_size) for _, path in files) + WAITING)
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
        finally:
            process.kill()
            process.wait()
        return list(_results(files, output, code, first))


def _results(
    files: Sequence[tuple[Role, Path]], output: IO[bytes], code: int, first: int
) -> Iterator[Contents | FileRefused]:
    frames = _frames(output)
    for i, (role, path) in enumerate(files, first):
        values: list[Buffer] = []
        record: Buffer | None = None
        for kind, frame in frames:
            if kind == _RECORD:
                record = frame
                break
            values.append(frame)
        if record is None:
            yield FileRefused(i, f"{path.name}: {_cause(code, path.stat().st_size)}")
            return
        found = msgspec.msgpack.decode(record, type=_Read | _Failure)
        if isinstance(found, _Failure):
            limit = f": {_memory_limit(path.stat().st_size)}" if found.memory else ""
            yield FileRefused(i, found.message + limit)
            if found.memory:
                return
            continue
        yield Contents(_decoded(role, found.contents, values), found.sha256, found.size)


def _decoded(role: Role, contents: msgspec.Raw, values: list[Buffer]) -> FileContents:
    if role == "scaler":
        return msgspec.msgpack.decode(contents, type=ScalerFile)
    if role == "any":
        return msgspec.msgpack.decode(contents, type=Description)
    found = msgspec.msgpack.decode(contents, type=Model | TreesFile)
    return found if isinstance(found, TreesFile) else KerasFile(found, values)


def _frames(output: IO[bytes]) -> Iterator[tuple[bytes, Buffer]]:
    """The complete frames of the output, as views of the file."""
    size = output.seek(0, os.SEEK_END)
    if not size:
        return
    # The views keep the mapping alive, and the mapping keeps the file.
    view = memoryview(mmap.mmap(output.fileno(), size, access=mmap.ACCESS_READ))
    at = 0
    while at + _FRAME.size <= size:
        kind, length = _FRAME.unpack_from(view, at)
        at += _FRAME.size
        if kind not in (_VALUES, _RECORD) or at + length > size:
            return
        yield kind, view[at : at + length]
        at += length


def _cause(code: int, size: int) -> str:
    if code == -signal.SIGPROF:
        return f"takes more than {_seconds(size):.1f} s of CPU time to read, far more than a file of its size needs"
    if code == -signal.SIGALRM:
        return f"could not be read within {_waiting(size):.0f} s; check the disk that it is on"
    if code == -signal.SIGINT:
        raise KeyboardInterrupt
    return f"the process that reads it ended with code {code}; {_memory_limit(size)}"


def _memory_limit(size: int) -> str:
    return f"reading it may take {limits.in_mib(_memory(size))}, far more than a file of its size needs"


def _memory(size: int) -> int:
    return MEMORY + MEMORY_FACTOR * size


def _seconds(size: int) -> float:
    return SECONDS + size / BYTES_A_SECOND


def _waiting(size: int) -> float:
    return WAITING + WAITING_FACTOR * _seconds(size)


# What follows runs in the reading process.


class _Output:
    """Writes frames."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._complete = 0  # the length of the complete frames

    def put(self, size: int, pieces: Iterable[memoryview]) -> None:
        """Write the values of a dataset."""
        self._file.write(_FRAME.pack(_VALUES, size))
        written = sum(self._file.write(piece) for piece in pieces)
        if written != size:
            raise ValueError(f"{written} bytes of values instead of {size}")
        self._complete += _FRAME.size + size

    def record(self, record: _Read | _Failure) -> None:
        """Write the record of a file, which ends its frames."""
        data = msgspec.msgpack.encode(record)
        self._file.seek(self._complete)  # over a frame that an error has cut short
        self._file.truncate()
        self._file.write(_FRAME.pack(_RECORD, len(data)) + data)
        self._file.flush()
        self._complete += _FRAME.size + len(data)


def main() -> None:
    """Read the files that the arguments name. After a file that does not fit into the memory, the process ends."""
    output = _Output(sys.stdout.buffer)
    rules = msgspec.json.decode(sys.argv[1], type=Permitted)
    for task in sys.argv[2:]:
        role, _, name = task.partition(":")
        path = Path(name)
        try:
            _limit(path.stat().st_size)
            raw = msgspec.Raw(msgspec.msgpack.encode(_contents(role, path, output, rules)))
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            output.record(_Read(raw, digest, path.stat().st_size))
        except Refused as error:
            named = str(error) if role == "scaler" else f"{path.name}: {error}"
            output.record(_Failure(line(named, _MESSAGE)))
        except MemoryError:
            output.record(_Failure(path.name, memory=True))
            return
        except Exception as error:  # noqa: BLE001 - the files are untrusted, so every error is a refusal
            output.record(_Failure(line(f"{path.name}: {type(error).__name__}: {error}", _MESSAGE)))


def _contents(role: str, path: Path, output: _Output, rules: Permitted) -> object:
    # These are not needed by the process that waits.
    if role == "scaler":
        from convert.untrusted.scalers import unpickle  # noqa: PLC0415

        return unpickle.read(path)
    if role == "any":
        from convert.untrusted.describing import describe  # noqa: PLC0415

        return describe(path)
    from convert.untrusted.trees import text  # noqa: PLC0415

    with path.open("rb") as opened:
        if text.begins(opened.read(text.START)):
            return text.read(path)
    from convert.untrusted.models import keras_files  # noqa: PLC0415

    return keras_files.read(path, output, rules)


def _limit(size: int) -> None:
    """Limit the memory and the time of this process for one file. The kernel ends it, also within a library."""
    import resource  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_memory(size), resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, _seconds(size))
    signal.setitimer(signal.ITIMER_REAL, _waiting(size))
