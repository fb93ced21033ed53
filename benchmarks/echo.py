"""A server to measure the cost of aiohttp alone: its handler reads the body and answers with the bytes of a prediction.

It has the event loop and the web framework of this server, and none of its code.
"""

from __future__ import annotations

import argparse

import uvloop
from aiohttp import web

ANSWER = b"x" * 330


async def echo(request: web.Request) -> web.Response:
    """Read the body and answer with 330 bytes."""
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json")


async def ready(_: web.Request) -> web.Response:
    """Answer 200."""
    return web.Response()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    application = web.Application(client_max_size=1 << 25)
    application.add_routes([web.post("/reversal/predict", echo), web.get("/readyz", ready)])
    uvloop.install()
    web.run_app(application, host="127.0.0.1", port=parser.parse_args().port, access_log=None, print=None)


if __name__ == "__main__":
    main()
