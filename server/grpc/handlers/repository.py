"""Loading and unloading over gRPC: the keeper answers, as it does over REST."""

from __future__ import annotations

from typing import TypeAlias
from urllib.parse import quote

import orjson

from core.errors import InvalidInput
from server.grpc import open_inference_pb2 as pb
from server.grpc.calls import Call, CallAnswer
from server.grpc.messages import parsed, scalars
from server.grpc.statuses import KeeperRefusal
from server.logs.request_id import HEADER
from server.tracing.tracer import new_span_id, recorded
from server.worker.upstream.keeper_client import KeeperClient

Change: TypeAlias = pb.RepositoryModelLoadRequest | pb.RepositoryModelUnloadRequest

_OK = 200
# The metadata that name a version, for clients that cannot send the parameter, as `?version=` over REST.
_VERSION = "version"


class RepositoryCalls:
    """Answers the calls that change what is loaded."""

    def __init__(self, keeper: KeeperClient) -> None:
        self._keeper = keeper

    async def load(self, call: Call) -> CallAnswer:
        """RepositoryModelLoad: as POST /v2/repository/models/{model}/load."""
        model = await self._change(call, parsed(pb.RepositoryModelLoadRequest, await call.message()), "load")
        return CallAnswer(pb.RepositoryModelLoadResponse(model_name=model, isLoaded=True).SerializeToString())

    async def unload(self, call: Call) -> CallAnswer:
        """RepositoryModelUnload: as POST /v2/repository/models/{model}/unload."""
        model = await self._change(call, parsed(pb.RepositoryModelUnloadRequest, await call.message()), "unload")
        return CallAnswer(pb.RepositoryModelUnloadResponse(model_name=model, isUnloaded=True).SerializeToString())

    async def _change(self, call: Call, request: Change, action: str) -> str:
        """Let the keeper do it; returns the name of the model. The deadline does not end a change in progress."""
        model = request.model_name or request.repository_name
        if not model:
            raise InvalidInput.at("model_name", "missing; name the model")
        for name, parameter in request.parameters.items():
            if parameter.WhichOneof("parameter_choice") == "bytes_param":
                raise InvalidInput.at(f"parameters.{name}", "bytes are not supported; leave it out")
        body = orjson.dumps({"parameters": scalars(request.parameters)})
        trace, headers = recorded(call.request_id), {HEADER: call.request_id, "Content-Type": "application/json"}
        if trace is not None:
            headers |= trace.parent(new_span_id())
        path = f"/v2/repository/models/{quote(model, safe='')}/{action}"
        if version := call.headers.get(_VERSION):
            path += f"?version={quote(version, safe='')}"
        status, answer = await self._keeper.call(path, body, call.caller, headers)
        if status != _OK:
            told = orjson.loads(answer)
            raise KeeperRefusal(told.get("code", ""), told.get("error", ""))
        return model
