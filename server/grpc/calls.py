"""The way of every call: token, deadline, message, answer or status, log, metrics and trace.

A handler gets the call before its message has arrived, as that of a stream would. So a refused call is not read, and
the deadline also ends the wait for a message. On the wire there is no difference. The standard services, health and
reflection, take the same way: gRPC's own handlers would read messages of any client.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import grpc
from aiohttp import web

from core.errors import InvalidInput
from core.log_event import LogEvent
from server.auth.access import Access, Level
from server.auth.client_address import FORWARDED_FOR, ClientAddresses
from server.grpc.arrivals import Arrivals
from server.grpc.headers import Headers, address_of
from server.grpc.statuses import REQUEST_ID, KeeperRefusal, Status
from server.http.app_keys import ACCESS, CLIENT_ADDRESSES, REFUSALS, SETTINGS
from server.http.bodies import sizes
from server.http.deadline import late, within
from server.http.errors import PayloadTooLarge, Refusals
from server.logs.request_id import CURRENT, request_id
from server.tracing.records import Attributes
from server.tracing.requests import TRACER
from server.tracing.tracer import Tracer, recorded
from server.worker.app_keys import METRICS
from server.worker.metrics import Metrics
from server.worker.upstream.keeper_client import Caller

log = logging.getLogger(__name__)

SERVICE = "inference.GRPCInferenceService"

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

_TIMING = "server-timing"
# How long gRPC may take to tell that a call is cancelled after its message ends.
_CANCELLED_SECONDS = 0.1


class Call(NamedTuple):
    """A call whose token is valid.

    until: its deadline, of time.perf_counter. context: gRPC's. arrivals: the messages beside which its own arrives.
    """

    headers: Headers
    caller: Caller
    request_id: str
    until: float
    context: Context
    arrivals: Arrivals

    async def message(self, most: int = sizes.SMALL) -> bytes:
        """The message, which has at most so many bytes.

        Raises DeadlineExceeded, Overloaded, PayloadTooLarge, or InvalidInput if the client ends without one.
        """
        found = await self.next_message(self.until, most)
        if found is not None:
            return found
        # gRPC has nothing to read: it refuses a message that is too large, or the client has cancelled the call. Then
        # this task is cancelled, too.
        await asyncio.sleep(_CANCELLED_SECONDS)
        raise InvalidInput.at("", "the call has no message")

    async def next_message(self, until: float, most: int = sizes.SMALL) -> bytes | None:
        """The next message; None if the client has ended. Raises DeadlineExceeded, Overloaded or PayloadTooLarge."""
        try:
            async with within(until) as timer:
                with self.arrivals.place(timer) if most <= sizes.SMALL else nullcontext():  # a large one takes its time
                    found: object = await self.context.read()
        except TimeoutError:
            raise late("its message had arrived") from None
        if not isinstance(found, bytes):
            return None
        if len(found) > most:
            raise PayloadTooLarge(f"the message is larger than the {most:,} bytes that this call takes; send less")
        return found


class CallAnswer(NamedTuple):
    """The message of an answer. timing: the value of its server-timing; empty if it has none."""

    message: bytes
    timing: str = ""


class Method(NamedTuple):
    """What answers the calls of a method, and the level that it requires.

    streams: whether it writes its answers itself. Then its calls may last, and a shutdown does not wait for them.
    """

    answer: Callable[[Call], Awaitable[CallAnswer]]
    level: Level = Level.API
    service: str = SERVICE
    streams: bool = False


class Calls(grpc.GenericRpcHandler):
    """All calls. `in_progress`: their number now, without those of streams."""

    def __init__(self, app: web.Application, methods: dict[str, Method]) -> None:
        """`methods`: by name. Other calls are UNIMPLEMENTED."""
        self.in_progress = 0
        # Apart, so that clients without a token take nothing from others.
        self._arrivals = {needs_token: Arrivals() for needs_token in (True, False)}
        self._access: Access = app[ACCESS]
        self._addresses: ClientAddresses = app[CLIENT_ADDRESSES]
        self._refusals: Refusals = app[REFUSALS]
        self._metrics: Metrics = app[METRICS]
        self._timeout = app[SETTINGS].request_timeout_ms / 1e3
        self._logged = app[SETTINGS].access_log
        self._tracer: Tracer | None = app.get(TRACER)
        self._identify = request_id if self._tracer is None else self._tracer.identify
        self._handlers = {f"/{method.service}/{name}": self._handler(name, method) for name, method in methods.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call; None for an unknown method."""
        return self._handlers.get(handler_call_details.method)

    def _handler(self, name: str, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        async def stream(_: object, context: Context) -> None:
            await self._answer(name, method, context)

        async def handle(_: object, context: Context) -> bytes:
            self.in_progress += 1
            try:
                return await self._answer(name, method, context)
            finally:
                self.in_progress -= 1

        if method.streams:
            return grpc.stream_stream_rpc_method_handler(stream)
        return grpc.stream_unary_rpc_method_handler(handle)

    async def _answer(self, name: str, method: Method, context: Context) -> bytes:
        began = perf_counter()
        headers = Headers(context.invocation_metadata() or ())
        own = self._identify(headers)
        CURRENT.set(own)  # each call is a task, which has a context of its own
        address = self._addresses.of(address_of(context.peer()), headers.getall(FORWARDED_FOR))
        caller, code, error, size = "", grpc.StatusCode.OK, "", 0
        needs_token = method.level is not Level.OPEN
        try:
            if needs_token:
                caller = await self._access.check(headers, address, method.level)
            known = Caller(caller, address, manages=self._access.manages(headers))
            call = Call(headers, known, own, self._until(context, began), context, self._arrivals[needs_token])
            message, timing = await method.answer(call)
            size = len(message)
            context.set_trailing_metadata(((REQUEST_ID, own), (_TIMING, timing)) if timing else ((REQUEST_ID, own),))
        except asyncio.CancelledError:
            late_one = context.time_remaining() == 0
            code = grpc.StatusCode.DEADLINE_EXCEEDED if late_one else grpc.StatusCode.CANCELLED
            error = code.name
            raise
        except Exception as failure:  # noqa: BLE001 - it is logged
            where = f"gRPC {name}"
            noted = failure if isinstance(failure, KeeperRefusal) else self._refusals.noted(failure, where, where)
            code, text, metadata = Status.of(noted, own)
            error = type(failure).__name__ if code is grpc.StatusCode.INTERNAL else ""
            context.set_code(code)
            context.set_details(text)
            context.set_trailing_metadata(metadata)
            return b""
        else:
            return message
        finally:
            self._metrics.grpc_calls[name, code.name].inc()
            self._record(method.service, name, code, error, own)
            if self._logged:
                milliseconds = round((perf_counter() - began) * 1e3, 3)
                event = LogEvent("grpc_call_answered", method=name, code=code.name, bytes=size,
                    milliseconds=milliseconds, caller=caller or None, address=address or None)  # fmt: skip
                log.info(event)

    def _until(self, context: Context, began: float) -> float:
        """The earlier one of the client's deadline and the server's."""
        left = context.time_remaining()
        return began + (self._timeout if left is None else min(left, self._timeout))

    def _record(self, service: str, name: str, code: grpc.StatusCode, error: str, own: str) -> None:
        trace = recorded(own)
        if trace is None or self._tracer is None:
            return
        number: int = code.value[0]
        attributes: Attributes = {
            "rpc.system": "grpc",
            "rpc.service": service,
            "rpc.method": name,
            "rpc.grpc.status_code": number,
            "network.protocol.version": "2",
        }
        self._tracer.finish(trace, f"{service}/{name}", None, attributes, error)
