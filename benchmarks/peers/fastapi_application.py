"""The FastAPI application of two peers: it takes a typed body, runs the networks on one matrix, and answers with JSON.

The handler is `async def`, because 0.1 ms of inference in the event loop costs less than the thread pool. orjson
encodes the answer, because FastAPI's response model takes longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import orjson
import uvicorn
from annotated_types import Len
from fastapi import FastAPI, HTTPException, Response
from numpy.typing import NDArray
from pydantic import BaseModel, FiniteFloat

from benchmarks.peers.arguments import arguments
from benchmarks.peers.rule import WINDOW, RefusedError, envelope, window

Row = Annotated[list[FiniteFloat], Len(WINDOW[1], WINDOW[1])]


class Request(BaseModel):  # type: ignore[misc] # pydantic is not installed where types are checked
    """The body of /reversal/predict with features; this application does not accept candles."""

    pair: str
    timeframe: str = "1h"
    features: Annotated[list[Row], Len(WINDOW[0], WINDOW[0])]
    version: str | None = None
    user_id: str | None = None


def application(predict: Callable[[NDArray[np.float32]], list[dict[str, Any]]]) -> FastAPI:
    """Return an application that answers with the result of `predict`."""
    made = FastAPI(openapi_url=None)

    async def answer(request: Request) -> Response:
        try:
            (row,) = predict(window(request.features))
        except RefusedError as error:
            raise HTTPException(422, str(error)) from error
        body = orjson.dumps(envelope(request.pair, request.timeframe, row))
        return Response(body, media_type="application/json")

    async def ready() -> Response:
        return Response()

    made.add_api_route("/reversal/predict", answer, methods=["POST"])
    made.add_api_route("/readyz", ready)
    return made


def serve(factory: str) -> None:
    """Serve the application of a factory, given as "module:function", until stopped."""
    options = arguments()
    uvicorn.run(
        factory,
        factory=True,
        port=options.port,
        workers=options.workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_worker_healthcheck=60,  # importing TensorFlow holds the GIL for longer than the usual five seconds
    )
