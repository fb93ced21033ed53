"""The first load of a bundle, in a process that may be lost: a graph can run forever, fill the memory, or crash.

`limited` bounds what a load in this process may use. `run` makes the load in a child process, `main` is that process.
ONNX Runtime cannot be interrupted while it creates a session (it computes constants then) or runs a single node, so
only the kernel can end such a load.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from core.bundles import manifest
from core.bundles.bundle import Bundle
from core.errors import ServiceError
from core.inference.detector import Detector
from core.inference.stage_runner import StageRunner


class TrialLimits(NamedTuple):
    """What a trial may take: CPU time after its imports, and elapsed time in all, both in seconds."""

    cpu_seconds: float
    elapsed_seconds: float


# Committed bundles take 0.05 s of CPU time. The call that loads a version has 10 s in all.
LOADING = TrialLimits(cpu_seconds=2.0, elapsed_seconds=7.0)
# At a start no call waits, and no operator could repeat it. Work on the other thread of a core doubles CPU time, and
# elapsed time is only against a trial that is stopped.
STARTING = TrialLimits(cpu_seconds=4.0, elapsed_seconds=120.0)
# The memory that a load may take beyond what the process has.
MEMORY_BYTES = 512 << 20
_MODULE = "core.inference.trial"
# Lines with which the child says what it begins. The reason of a refusal can begin with one of these words too.
_STAGES = ("stage1", "stage2")
# The exit code of a refusal. Python ends with 1 if it cannot even import the module.
_REFUSED = 10


class TrialFailure(msgspec.Struct, frozen=True):
    """Why a trial failed. stage: where, if that is known. final: whether the same bundle would fail again."""

    stage: str
    reason: str
    final: bool = True


class _SentBundle(msgspec.Struct):
    """A bundle on its way to the child."""

    manifest: bytes
    graphs: dict[str, bytes]
    digest: str


@contextmanager
def limited(cpu_seconds: float) -> Iterator[None]:
    """Within this block, SIGPROF ends this process after this CPU time, and allocations beyond the limit fail."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    _, hard = before
    most = _data_bytes() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        resource.setrlimit(resource.RLIMIT_DATA, before)


def run(bundle: Bundle, limits: TrialLimits) -> TrialFailure | None:
    """Load the bundle in a child process; return why that failed, or None. Takes a quarter of a second or more."""
    sent = msgspec.msgpack.encode(_SentBundle(bundle.source, bundle.graphs, bundle.digest))
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # -P: the working directory is not searched for modules.
    command = [sys.executable, "-P", "-m", _MODULE, str(limits.cpu_seconds)]
    try:
        with subprocess.Popen(  # noqa: S603 - the command is fixed
            command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            try:
                output, _ = child.communicate(sent, limits.elapsed_seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                output, _ = child.communicate()
                reason = f"loading it did not end within {limits.elapsed_seconds:g} s: is the machine busy?"
                return TrialFailure(_last_stage(output), reason, final=False)
    except OSError as error:
        return TrialFailure("", f"no process could be started to try it: {error.strerror or error}", final=False)
    return _failure(child.returncode, output, f"bundle {bundle.manifest.version}: ", limits)


def _failure(code: int, output: bytes, name: str, limits: TrialLimits) -> TrialFailure | None:
    stage = _last_stage(output)
    if code == 0:
        return None
    if code == _REFUSED:
        return TrialFailure(stage, output.decode().splitlines()[-1].removeprefix(name))
    if code == -signal.SIGPROF:
        return TrialFailure(stage, f"loading it and one prediction took more than {limits.cpu_seconds:g} s of CPU time")
    if code == -signal.SIGKILL:
        return TrialFailure(stage, "loading it was ended by SIGKILL, probably because the memory was full", final=False)
    ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return TrialFailure(stage, f"loading it ended the process with {ended}", final=code < 0)


def _last_stage(output: bytes) -> str:
    stages = [line for line in output.decode().splitlines() if line in _STAGES]
    return stages[-1] if stages else ""


def _data_bytes() -> int:
    """The size of what RLIMIT_DATA counts, or 0 if the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def main(cpu_seconds: float) -> int:
    """Load the bundle on standard input. Writes each stage that it begins, and at the end the reason of a refusal."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # if the memory is full, the kernel should end this process before others
        Path("/proc/self/oom_score_adj").write_text("1000")
    sent = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_SentBundle)
    bundle = Bundle(manifest.decode(sent.manifest), sent.graphs, sent.digest, sent.manifest)
    runners = []  # kept, so that the detector gets the same sessions
    with limited(cpu_seconds):
        try:
            for label, stage in bundle.manifest.stages.items():
                print(label, flush=True)  # noqa: T201 - the parent reads it
                runners.append(StageRunner(label, stage, bundle))
                runners[-1].check()
            Detector(bundle)
        except Exception as error:  # noqa: BLE001 - a bundle is untrusted input
            text = str(error) if isinstance(error, ServiceError) else f"{type(error).__name__}: {error}"
            print(" ".join(text.split()))  # noqa: T201 - the parent reads it
            return _REFUSED
    return 0


if __name__ == "__main__":
    code = main(float(sys.argv[1]))
    sys.stdout.flush()
    # A normal exit would take time to destroy the sessions.
    os._exit(code)
