"""Bound the memory that a model takes while its framework builds it.

The parameters of the table's layers are counted from the configuration (sizes.py). Those of other layers are not, so
the kernel bounds the process instead: an allocation beyond the limit fails, and the framework reports that.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from convert.errors import Refused
from convert.untrusted import limits
from convert.untrusted.records import KerasFile

# TensorFlow's threads and graphs take some hundred MiB, and weights exist twice while they are loaded. The rest is
# room: an allocation that fails in a thread of TensorFlow's could end the process before an error is told.
MEMORY, MEMORY_FACTOR = 4 * 1024 * limits.MIB, 8

# The proof computes 256 windows at once: 2 GB for a layer's values, and as much for those of the layer before.
PROOF = 6 * 1024 * limits.MIB


@contextmanager
def limited_proof() -> Iterator[None]:
    """Within this block, this process can take no more memory than a proof needs. Raises Refused.

    The sizes of a network's values can follow from a window's values, which no check beforehand can bound.
    """
    before = resource.getrlimit(resource.RLIMIT_DATA)
    most, hard = _data_bytes() + PROOF, before[1]
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    try:
        yield
    except Exception as error:
        if _is_of_memory(error):
            raise Refused(f"it takes more than {limits.in_mib(PROOF)} to compute its answers to windows") from None
        raise
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _is_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError" or "OOM" in str(error)


@contextmanager
def limited(file: KerasFile) -> Iterator[None]:
    """Within this block, this process can take no more memory than the file's values allow. Raises Refused."""
    size = sum(len(value) for value in file.values)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    _, hard = before
    more = MEMORY + MEMORY_FACTOR * size
    most = _data_bytes() + more
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    try:
        yield
    except Exception as error:
        if _is_of_memory(error):
            raise Refused(
                f"its layers take more than {limits.in_mib(more)} to build, but the file has values of"
                f" {limits.in_mib(size)}; save the model again"
            ) from None
        raise
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _data_bytes() -> int:
    """The size of what RLIMIT_DATA counts, or 0 if the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    return 0
