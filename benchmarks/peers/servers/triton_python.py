"""Triton with its Python backend: the binary of nvidia-pytriton, with a model that runs both networks.

Requests go to Triton directly and not through pytriton, because pytriton's proxy adds a queue and a process. Triton's
HTTP interface accepts only tensors: the matrix is JSON data of the V2 protocol, and the answer is two tensors in JSON,
one of strings and one of numbers. A batch consists of the requests that have arrived; Triton does not wait for more.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "numpy>=1.26,<2",
#     "nvidia-pytriton>=0.7,<0.8",
#     "onnxruntime>=1.32,<2",
# ]
# [tool.uv]
# # Only the binary is used.
# override-dependencies = ["tritonclient; python_version < '3'"]
# [tool.peer]
# title = "Triton, Python backend"
# protocol = "v2"
# path = "/v2/models/reversal/infer"
# ready = "/v2/health/ready"
# [tool.peer.settings]
# "one by one" = ["--batch", "1"]
# "batches of 16" = ["--batch", "16"]
# ///

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.arguments import arguments
from benchmarks.peers.networks import Networks
from benchmarks.peers.rule import ROOT

NAME = "reversal"
CONFIGURATION = """
name: "{name}"
backend: "python"
max_batch_size: {batch}
input [ {{ name: "features" data_type: TYPE_FP32 dims: [ 20, 12 ] }} ]
output [
  {{ name: "signal" data_type: TYPE_STRING dims: [ 1 ] }},
  {{ name: "probabilities" data_type: TYPE_FP64 dims: [ 3 ] }}
]
instance_group [ {{ kind: KIND_CPU count: {workers} }} ]
{batching}
"""


class TritonPythonModel:
    """One instance of the model, which is one process. Triton requires this class name."""

    def initialize(self, _: dict[str, str]) -> None:
        """Load the networks."""
        import triton_python_backend_utils  # noqa: PLC0415 - available only in Triton's own process

        self._utils = triton_python_backend_utils
        self._predict = Networks().predict

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer the requests that Triton passes together, with one run."""
        utils = self._utils
        windows = [utils.get_input_tensor_by_name(request, "features").as_numpy() for request in requests]
        rows = iter(self._predict(windows[0] if len(windows) == 1 else np.concatenate(windows)))
        return [self._response([next(rows) for _ in window]) for window in windows]

    def _response(self, rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - an untyped class of Triton
        utils = self._utils
        if not rows:
            return utils.InferenceResponse(error=utils.TritonError("no window"))
        signals = np.array([[row["signal"].encode()] for row in rows], np.object_)
        numbers = np.array([[row["confidence"], row["stage1_prob"], row["stage2_prob"] or np.nan] for row in rows])
        return utils.InferenceResponse([utils.Tensor("signal", signals), utils.Tensor("probabilities", numbers)])


def lay_out(folder: Path, triton: Path, workers: int, batch: int) -> None:
    """Create Triton's two folders: `models`, and `backends` with the Python backend and its stub for this Python."""
    model = folder / "models" / NAME
    (model / "1").mkdir(parents=True)
    batching = "dynamic_batching { max_queue_delay_microseconds: 0 }" if batch > 1 else ""
    text = CONFIGURATION.format(name=NAME, batch=batch, workers=workers, batching=batching)
    (model / "config.pbtxt").write_text(text)
    (model / "1" / "model.py").write_text(f"from {__spec__.name} import TritonPythonModel\n")
    backend = folder / "backends" / "python"
    backend.mkdir(parents=True)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    for file in (triton / "backends" / "python", triton / "python_backend_stubs" / python):
        for each in file.iterdir():
            (backend / each.name).symlink_to(each)


def main() -> None:
    """Replace this process with Triton."""
    options = arguments()
    site = Path(sysconfig.get_path("purelib"))
    triton = site / "pytriton" / "tritonserver"
    folder = Path(sys.prefix) / "served"
    shutil.rmtree(folder, ignore_errors=True)
    lay_out(folder, triton, options.workers, options.batch)
    libraries = [site / "nvidia_pytriton.libs", Path(sysconfig.get_config_var("LIBDIR"))]
    environment = os.environ | {
        # The stub finds Python through PATH.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": str(ROOT),
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
    }
    flags = {
        "model-repository": folder / "models",
        "backend-directory": folder / "backends",
        "http-address": "127.0.0.1",
        "http-port": options.port,
        "allow-grpc": "false",
        "allow-metrics": "false",
        "pinned-memory-pool-byte-size": 0,
        "log-info": "false",
    }
    binary = str(triton / "bin" / "tritonserver")
    os.execve(binary, [binary, *(f"--{name}={value}" for name, value in flags.items())], environment)  # noqa: S606


if __name__ == "__main__":
    main()
