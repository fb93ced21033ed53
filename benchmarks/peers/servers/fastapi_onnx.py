"""FastAPI, uvicorn and ONNX Runtime, written as is usual today."""
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "fastapi>=0.165,<1",
#     "httptools>=0.6,<1",
#     "numpy>=2.4,<2.5",
#     "onnxruntime>=1.32,<2",
#     "orjson>=3.13,<4",
#     "uvicorn>=0.54,<1",
#     "uvloop>=0.23,<1",
# ]
# [tool.peer]
# title = "FastAPI + uvicorn + ONNX Runtime"
# ///

from __future__ import annotations

from fastapi import FastAPI

from benchmarks.peers.fastapi_application import application, serve
from benchmarks.peers.networks import Networks


def make() -> FastAPI:
    """Return the application of one worker."""
    return application(Networks().predict)


if __name__ == "__main__":
    serve("benchmarks.peers.servers.fastapi_onnx:make")
