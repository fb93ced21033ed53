"""Load, unload and switch versions on all workers."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web
from msgspec import UNSET

from core.errors import Conflict, InvalidInput
from server.api.schemas.open_inference import MODEL, RepositoryChange, RepositoryParameters
from server.http.app_keys import CLOCK
from server.http.bodies.body import read_bytes
from server.http.envelope import success
from server.keeper.app_keys import CHANGES, REPOSITORY
from server.open_inference import rest
from server.open_inference.inference import check_model

_decoder = msgspec.json.Decoder(RepositoryChange)


async def load(request: web.Request) -> web.Response:
    """POST /reversal/models/{version}/load."""
    version = request.match_info["version"]
    await request.app[CHANGES].load(version)
    return success({"version": version, "loaded": True}, request.app[CLOCK].now())


async def unload(request: web.Request) -> web.Response:
    """POST /reversal/models/{version}/unload."""
    version = request.match_info["version"]
    await request.app[CHANGES].unload(version)
    return success({"version": version, "loaded": False}, request.app[CLOCK].now())


async def switch(request: web.Request) -> web.Response:
    """POST /reversal/models/{version}/switch."""
    switched = await request.app[CHANGES].switch(request.match_info["version"])
    data = {"active_version": switched.active, "previous_version": switched.previous}
    return success(data, request.app[CLOCK].now())


async def load_versions(request: web.Request) -> web.Response:
    """POST /v2/repository/models/{model}/load. Without a version, the first that cannot be loaded ends the call."""
    version = await _version(request)
    listing = request.app[REPOSITORY].listing
    versions = (await asyncio.to_thread(listing)).versions if version is None else (version,)
    for each in versions:
        await request.app[CHANGES].load(each)
    return success({"versions": versions, "loaded": True}, request.app[CLOCK].now())


async def unload_version(request: web.Request) -> web.Response:
    """POST /v2/repository/models/{model}/unload."""
    version = await _version(request)
    if version is None:
        raise Conflict(f"the active version of {MODEL} cannot be unloaded; name another one in parameters.version")
    await request.app[CHANGES].unload(version)
    return success({"versions": [version], "loaded": False}, request.app[CLOCK].now())


async def _version(request: web.Request) -> str | None:
    """The version that a request names, in its body or its query; None if it names none."""
    check_model(request.match_info["model"])
    parameters = rest.optional(_decoder, await read_bytes(request)).parameters or RepositoryParameters()
    if parameters.config is not UNSET:
        message = "is not supported, because a version's manifest is its configuration; leave it out"
        raise InvalidInput.at("parameters.config", message)
    in_query = request.query.get("version")
    if parameters.version is not None and in_query not in (None, parameters.version):
        raise InvalidInput.at("version", "must be the same as parameters.version, or be left out")
    return parameters.version if in_query is None else in_query
