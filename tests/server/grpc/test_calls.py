"""The way of every call: token, deadline, cancellation, failures, log, metrics and trace."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
from aiohttp import web

from core.serving.batching import Batcher
from core.serving.routing import Question, Result
from server.auth.access import Access, Level
from server.auth.token_texts import tokens
from server.grpc import open_inference_pb2 as pb
from server.grpc.calls import SERVICE
from server.grpc.handlers.health import Health
from server.grpc.port import methods, standard_methods
from server.http.app_keys import ACCESS, SETTINGS
from server.http.bodies import sizes
from server.tracing.records import RequestSpan
from server.tracing.requests import TRACER
from server.tracing.tracer import Tracer
from server.worker.app_keys import BATCHER
from server.worker.open_inference.readiness import Readiness
from tests.server.grpc.caller import Caller, counted, message, served
from tests.server.open_inference.tensors_of import bars, body
from tests.server.worker_fixture import Worker
from tests.waiting import until

INFER = message(body(candles=bars(0.4)), raw=True)
API, ADMIN, WRONG = "api-token-of-a-test", "admin-token-of-a-test", "wrong-token-of-a-test"


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def put(app: web.Application, key: Any, value: Any) -> None:  # noqa: ANN401
    """Replace what a running application has under a key."""
    app._state[key] = value  # noqa: SLF001


class TestTokens:
    @pytest.fixture(autouse=True)
    def guarded(self, worker: Worker) -> None:
        put(worker.app, ACCESS, Access([*tokens([f"a:{API}"], Level.API), *tokens([f"b:{ADMIN}"], Level.ADMIN)]))

    @pytest.mark.parametrize(
        ("method", "metadata", "code"),
        [
            ("ModelInfer", {}, "UNAUTHORIZED"),
            ("ModelInfer", bearing(WRONG), "UNAUTHORIZED"),
            ("ModelInfer", {"authorization": f"Basic {API}"}, "UNAUTHORIZED"),
            ("ModelMetadata", {}, "UNAUTHORIZED"),
            ("RepositoryModelLoad", bearing(API), "FORBIDDEN"),
        ],
    )
    async def test_a_call_without_its_token_is_refused(
        self, worker: Worker, method: str, metadata: dict[str, str], code: str
    ) -> None:
        status = {"UNAUTHORIZED": grpc.StatusCode.UNAUTHENTICATED, "FORBIDDEN": grpc.StatusCode.PERMISSION_DENIED}
        async with served(worker.app) as caller:
            found = await caller.called(method, b"not read", metadata=metadata)
        assert (found.code, found.metadata["reversal-error-code"]) == (status[code], code)

    async def test_a_call_with_its_token_is_answered(self, worker: Worker) -> None:
        async with served(worker.app, bearing(API)) as caller:
            assert (await caller.ok("ModelInfer", INFER)).model_version == "v1"
            assert (await caller.ok("ServerMetadata")).name == "reversal"

    async def test_only_health_needs_none(self, worker: Worker) -> None:
        standard = standard_methods(worker.app, Health(Readiness.of(worker.app)))
        found = {name for name, method in (methods(worker.app) | standard).items() if method.level is Level.OPEN}
        assert found == {"ServerLive", "ServerReady", "Check", "Watch"}

    async def test_health_needs_no_token(self, worker: Worker) -> None:
        async with served(worker.app) as caller:
            assert (await caller.ok("ServerLive")).live
            assert (await caller.ok("ServerReady")).ready

    @pytest.mark.parametrize("method", ["ServerLive", "ServerReady"])
    async def test_without_a_token_no_message_is_read(self, caller: Caller, method: str) -> None:
        call = caller.streaming(method)(timeout=2)  # its message does not arrive
        assert await call.code() is grpc.StatusCode.OK

    async def test_many_wrong_tokens_of_an_address_are_limited(
        self, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("server.auth.access.WAIT_SECONDS", 0)
        async with served(worker.app, bearing(WRONG)) as caller:
            for _ in range(200):
                found = await caller.called("ModelMetadata", b"")
                if found.code is not grpc.StatusCode.UNAUTHENTICATED:
                    break
        assert (found.code, found.metadata["reversal-error-code"]) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "RATE_LIMITED",
        )
        assert int(found.metadata["retry-after"]) >= 1
        assert "grpc-retry-pushback-ms" not in found.metadata


class TestDeadlines:
    async def test_a_message_that_does_not_arrive_ends_at_the_deadline_of_the_server(self, worker: Worker) -> None:
        put(worker.app, SETTINGS, replace(worker.app[SETTINGS], request_timeout_ms=50))
        async with served(worker.app) as caller:
            call = caller.streaming("ModelInfer")()
            assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert await call.details() == "deadline exceeded before its message had arrived"
            assert dict(await call.trailing_metadata())["reversal-error-code"] == "DEADLINE_EXCEEDED"
        assert counted(worker, "ModelInfer") == {"DEADLINE_EXCEEDED": 1}

    async def test_a_message_that_does_not_arrive_ends_at_the_deadline_of_the_client(
        self, worker: Worker, caller: Caller
    ) -> None:
        call = caller.streaming("ModelInfer")(timeout=0.05)
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: bool(counted(worker, "ModelInfer")))
        assert counted(worker, "ModelInfer") == {"DEADLINE_EXCEEDED": 1}

    async def test_the_deadline_of_the_client_is_that_of_its_question(
        self, worker: Worker, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lefts: list[float] = []
        predict = worker.predictor.predict

        def noting(snapshot: Any, questions: Any) -> list[Result]:  # noqa: ANN401
            lefts.extend(question.until - question.since for question in questions)
            return predict(snapshot, questions)

        monkeypatch.setattr(worker.predictor, "predict", noting)
        for seconds in (5, 3_600):  # the server's own is 10 s
            await caller.ok("ModelInfer", INFER, timeout=seconds)
        assert lefts[0] < 6
        assert 9 < lefts[1] < 11


class TestClientsThatLeave:
    async def test_a_cancelled_call_is_abandoned_and_its_question_withdrawn(self, worker: Worker) -> None:
        asked: list[asyncio.Future[Result]] = []

        class Held(Batcher[Question, Result]):
            def ask(self, question: Question) -> asyncio.Future[Result]:  # noqa: ARG002
                asked.append(asyncio.get_running_loop().create_future())
                return asked[-1]

        put(worker.app, BATCHER, Held(lambda _: [], 1))
        async with served(worker.app) as caller:
            call = caller.method("ModelInfer")(INFER.SerializeToString())
            waiting = asyncio.ensure_future(call)
            await until(lambda: bool(asked))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await until(asked[0].cancelled)
            await until(lambda: bool(counted(worker, "ModelInfer")))
        assert counted(worker, "ModelInfer") == {"CANCELLED": 1}
        assert (await worker.numbers())["reversal_predictions_abandoned_total"] == 1

    async def test_a_call_without_a_message_is_refused(self, caller: Caller) -> None:
        call = caller.streaming("ModelInfer")()
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert await call.details() == "the call has no message"


class TestSizes:
    async def test_only_tensors_may_be_large(self, worker: Worker, caller: Caller) -> None:
        for name in ("ModelReady", "ModelMetadata", "RepositoryIndex", "RepositoryModelLoad"):
            # A field that the message does not have.
            found = await caller.called(name, b"\x7a" + b"\x80\x80\x04" + bytes(sizes.SMALL))
            assert (found.code, found.metadata["reversal-error-code"]) == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "PAYLOAD_TOO_LARGE",
            )
            assert found.text == "the message is larger than the 65,536 bytes that this call takes; send less"
            assert counted(worker, name) == {"RESOURCE_EXHAUSTED": 1}
        large = message(body(candles=np.repeat(bars(0.4), 1_000, axis=0)), raw=True)
        assert large.ByteSize() > sizes.SMALL
        await caller.ok("ModelInfer", large)


class TestFailures:
    async def test_an_unknown_error_hides_its_text_and_names_the_request(
        self, worker: Worker, caller: Caller, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker.registry, "snapshot", None)
        found = await caller.called("ModelMetadata", pb.ModelMetadataRequest(name="reversal"))
        assert found.code is grpc.StatusCode.INTERNAL
        own = found.metadata["x-request-id"]
        assert found.text == f"internal error; the server's log has the details (request {own})"
        assert found.metadata["reversal-error-code"] == "INTERNAL"
        (record,) = [each for each in caplog.records if "request_failed" in each.getMessage()]
        assert record.exc_info is not None
        assert counted(worker, "ModelMetadata") == {"INTERNAL": 1}

    async def test_an_unknown_method_is_not_implemented(self, caller: Caller) -> None:
        for name in ("ModelStreamInfer", "SystemSharedMemoryStatus", "Nothing"):
            call = caller.method(name)(b"")
            assert await call.code() is grpc.StatusCode.UNIMPLEMENTED

    async def test_a_refusal_is_logged_with_its_method_and_place(
        self, caller: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        await caller.called("ModelInfer", message(body(candles=-bars(0.4)), raw=True))
        (line,) = [each.getMessage() for each in caplog.records if "request_refused" in each.getMessage()]
        assert 'endpoint="gRPC ModelInfer" code=VALIDATION_ERROR path=candles[0][0][0]' in line


class TestRequestIds:
    async def test_an_answer_has_the_id_of_the_call_or_a_new_one(self, caller: Caller) -> None:
        for name, request in (("ModelInfer", INFER), ("ServerLive", pb.ServerLiveRequest())):
            given = await caller.called(name, request, metadata={"x-request-id": "mine"})
            other = await caller.called(name, request, metadata={"x-request-id": "with blanks", "data-bin": b"\xff"})
            assert given.metadata["x-request-id"] == "mine"
            assert len(other.metadata["x-request-id"]) == 32

    async def test_a_prediction_has_its_times(self, caller: Caller) -> None:
        found = await caller.called("ModelInfer", INFER)
        assert found.metadata["server-timing"].startswith("parse;dur=")


async def test_a_line_of_the_access_log(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    put(worker.app, SETTINGS, replace(worker.app[SETTINGS], access_log=True))
    caplog.set_level(logging.INFO, "server.grpc.calls")
    async with served(worker.app) as caller:
        found = await caller.called("ModelInfer", INFER)
        await caller.called("ModelInfer", b"\xff")
    one, two = [each.getMessage() for each in caplog.records if "grpc_call_answered" in each.getMessage()]
    size = len(found.answer.SerializeToString())
    assert f"grpc_call_answered method=ModelInfer code=OK bytes={size} milliseconds=" in one
    assert "caller=anybody address=127.0.0.1" in one  # plain-english: the caller's name without tokens
    assert "code=INVALID_ARGUMENT bytes=0" in two


async def test_without_an_access_log_there_is_no_line(caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await caller.called("ModelInfer", INFER)
    assert not [each for each in caplog.records if "grpc_call_answered" in each.getMessage()]


async def test_a_call_of_a_trace_is_recorded(worker: Worker) -> None:
    kept: list[RequestSpan] = []
    put(worker.app, TRACER, Tracer(0.0, kept.append))
    parent = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    async with served(worker.app) as caller:
        await caller.called("ModelInfer", INFER, metadata=parent)
        await caller.called("ModelInfer", b"\xff", metadata=parent)
        await caller.called("ModelInfer", INFER)
    one, two = kept
    assert (one.name, one.trace_id) == (f"{SERVICE}/ModelInfer", "0af7651916cd43dd8448eb211c80319c")
    assert one.attributes["rpc.grpc.status_code"] == 0
    assert {"read", "encode"} <= {each.name for each in one.children}
    assert (two.attributes["rpc.grpc.status_code"], two.failed) == (3, False)
