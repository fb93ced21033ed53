"""mosec: a front end in Rust that passes bodies to Python workers, one by one or in batches.

It waits for a full batch for at least 1 ms. So one by one is best for one client, batches of 8 for 8 clients, and
batches of 16 for 32. msgspec decodes and checks the body, because it is faster than mosec's default, the json module.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "mosec>=0.9.8,<1",
#     "msgspec>=0.22,<1",
#     "numpy>=2.4,<2.5",
#     "onnxruntime>=1.32,<2",
#     "orjson>=3.13,<4",
# ]
# [tool.peer]
# title = "mosec"
# ready = "/"
# [tool.peer.settings]
# "one by one" = ["--batch", "1"]
# "batches of 8" = ["--batch", "8"]
# "batches of 16" = ["--batch", "16"]
# ///

from __future__ import annotations

import os

# mosec reads --port from the command line, and these variables when it is imported.
os.environ |= {"MOSEC_ADDRESS": "127.0.0.1", "MOSEC_LOG_LEVEL": "error"}

from typing import Any

import msgspec
import numpy as np
import orjson
from mosec import Server, ValidationError, Worker
from numpy.typing import NDArray

from benchmarks.peers.arguments import arguments
from benchmarks.peers.networks import Networks
from benchmarks.peers.rule import RefusedError, envelope, window


class Request(msgspec.Struct):
    """The body of /reversal/predict with features; this worker does not accept candles."""

    pair: str
    features: list[list[float]]
    timeframe: str = "1h"
    version: str | None = None
    user_id: str | None = None


class Asked(msgspec.Struct):
    """A request, and its window as input of the networks."""

    request: Request
    window: NDArray[np.float32]


class Detector(Worker):  # type: ignore[misc] # mosec is not installed where types are checked
    """One worker process, without the step that runs the networks."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Request).decode
        self._predict = Networks().predict

    def deserialize(self, data: bytes) -> Asked:
        """Decode and check a body."""
        try:
            request = self._decode(data)
            return Asked(request, window(request.features))
        except (msgspec.MsgspecError, RefusedError) as error:
            raise ValidationError(str(error)) from error

    def serialize(self, data: dict[str, Any]) -> bytes:
        """Encode an answer."""
        return orjson.dumps(data)


class OneByOne(Detector):
    """The worker without batches: mosec passes one item."""

    def forward(self, data: Asked) -> dict[str, Any]:
        """Answer one request."""
        (row,) = self._predict(data.window)
        return envelope(data.request.pair, data.request.timeframe, row)


class Together(Detector):
    """The worker with batches: mosec passes a list."""

    def forward(self, data: list[Asked]) -> list[dict[str, Any]]:
        """Answer all requests with one run."""
        rows = self._predict(np.concatenate([asked.window for asked in data]))
        return [
            envelope(asked.request.pair, asked.request.timeframe, row) for asked, row in zip(data, rows, strict=True)
        ]


def main() -> None:
    """Serve until stopped."""
    options = arguments()
    server = Server()
    server.append_worker(
        Together if options.batch > 1 else OneByOne,
        num=options.workers,
        max_batch_size=options.batch,
        max_wait_time=1,
        route="/reversal/predict",
    )
    server.run()


if __name__ == "__main__":
    main()
