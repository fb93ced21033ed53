"""FastAPI, uvicorn and `model.predict` of Keras: the design that the server replaces.

It calls Keras' `predict` on one window, and not a compiled `tf.function`, which is many times faster.
"""
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "fastapi>=0.165,<1",
#     "httptools>=0.6,<1",
#     "numpy>=2.4,<2.5",
#     "orjson>=3.13,<4",
#     "tensorflow-cpu==2.21.*",
#     "tf-keras==2.21.*",
#     "uvicorn>=0.54,<1",
#     "uvloop>=0.23,<1",
# ]
# [tool.uv]
# # As in pyproject.toml: tf-keras requires `tensorflow` beside `tensorflow-cpu`.
# override-dependencies = ["tensorflow; python_version < '3'"]
# [tool.peer]
# title = "FastAPI + TensorFlow model.predict"
# seconds = 2.5
# ///

from __future__ import annotations

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from typing import Any

import numpy as np
import tf_keras
from fastapi import FastAPI
from numpy.typing import NDArray

from benchmarks.peers.fastapi_application import application, serve
from benchmarks.peers.rule import ROOT, WINDOW, manifest, rule


class Models:
    """Both stages in Keras, from the files from which the bundle was converted."""

    def __init__(self) -> None:
        self._rule = rule()
        read = manifest()
        files = [read[stage]["sources"]["model"]["file"] for stage in ("stage1", "stage2")]
        loaded = [tf_keras.models.load_model(ROOT / "models" / "keras" / file, compile=False) for file in files]
        self._first, self._second = loaded
        for model in loaded:
            model.predict(np.zeros((1, *WINDOW), np.float32), verbose=0)

    def predict(self, windows: NDArray[np.float32]) -> list[dict[str, Any]]:
        """Return the fields of an answer for one window (1, 20, 12)."""
        p1 = self._first.predict(windows, verbose=0)[0, 0]
        if p1 < self._rule.threshold:
            return [self._rule.row(float(p1), None)]
        return [self._rule.row(float(p1), float(self._second.predict(windows, verbose=0)[0, 0]))]


def make() -> FastAPI:
    """Return the application of one worker."""
    return application(Models().predict)


if __name__ == "__main__":
    serve("benchmarks.peers.servers.fastapi_tensorflow:make")
