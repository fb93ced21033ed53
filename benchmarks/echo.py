"""What aiohttp alone costs: a handler that reads its body and answers as many bytes as a prediction has.

The server's event loop and application, and nothing of ours.
"""

from __future__ import annotations

import argparse

import uvloop
from aiohttp import web

ANSWER = b"x" * 330


async def echo(request: web.Request) -> web.Response:
    """Read, and answer."""
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json")


async def ready(_: web.Request) -> web.Response:
    """Tell that it runs."""
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
