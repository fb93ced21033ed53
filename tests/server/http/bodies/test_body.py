"""Reading bodies: their size, their compression, and the turns of the event loop meanwhile."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.api.endpoints import ENDPOINTS, largest_bodies
from server.http.bodies import body, sizes
from server.http.fairness import let_others_run
from tests.server.paths import filled
from tests.server.questions import asks
from tests.server.worker_fixture import Worker

POSTS = largest_bodies()
PREDICT = "/reversal/predict"


async def sent(worker: Worker, path: str, data: Any, **headers: str) -> tuple[int, dict[str, Any]]:  # noqa: ANN401
    given = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    response = await worker.client.post(path, data=data, headers=given)
    return response.status, await response.json()


async def pieces(whole: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    for at in range(0, len(whole), size):
        yield whole[at : at + size]
        await asyncio.sleep(0)


def test_only_endpoints_with_a_body_take_a_large_one() -> None:
    taking = {each.path for each in ENDPOINTS if each.request is not None}
    assert {path for path, most in POSTS.items() if most > sizes.SMALL} <= taking
    assert max(POSTS.values()) == POSTS["/reversal/predict/batch"] == 32 << 20


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_that_is_too_large_is_refused_with_the_limit(worker: Worker, path: str) -> None:
    most = POSTS[path]
    url = filled(path)
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.client.port)
    writer.write(f"POST {url} HTTP/1.1\r\nHost: x\r\nContent-Length: {most + 1}\r\n\r\n".encode())
    assert b" 413 " in await reader.readline()  # before any of it is sent
    writer.close()
    too_large = b" " * (most + 1)
    for data, headers in ((pieces(too_large), {}), (pieces(gzip.compress(too_large)), {"Content-Encoding": "gzip"})):
        status, answer = await sent(worker, url, data, **headers)
        assert (status, answer["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert f"{most:,} bytes that {url} takes" in answer["error"]


async def test_a_body_of_the_largest_size_is_read(worker: Worker) -> None:
    start = json.dumps(asks(0.1)).encode()
    whole = start + b" " * (sizes.SINGLE - len(start))
    assert (await sent(worker, PREDICT, pieces(whole)))[0] == 200
    assert (await sent(worker, PREDICT, gzip.compress(whole), Content_Encoding="gzip"))[0] == 200


@pytest.mark.parametrize("path", ["/reversal/models/v1/switch", "/reversal/experiments"])
async def test_a_body_that_arrives_with_its_head_is_bounded_too(worker: Worker, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.client.port)
    size = sizes.SMALL + 1
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size))
    assert b" 413 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("packing", ["br", "zstd", "rot13", "gzip, gzip", "x-gzip"])
async def test_an_unknown_compression_is_a_415(worker: Worker, packing: str) -> None:
    status, answer = await sent(worker, PREDICT, b"whatever", Content_Encoding=packing)
    assert (status, answer["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert packing in answer["error"]


@pytest.mark.parametrize("packing", ["gzip", "GZIP", "deflate", "raw deflate"])
async def test_a_compressed_body_is_decompressed(worker: Worker, packing: str) -> None:
    whole = json.dumps(asks(0.1)).encode()
    packed = gzip.compress(whole) if packing.lower() == "gzip" else zlib.compress(whole)
    packed = packed[2:-4] if packing == "raw deflate" else packed
    for data in (packed, pieces(packed, 7)):
        assert (await sent(worker, PREDICT, data, Content_Encoding=packing.rsplit(maxsplit=1)[-1]))[0] == 200


# The ids are fixed because gzip writes the time into its header, which would change the names of the tests.
@pytest.mark.parametrize(
    "damage",
    [b"not packed", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"more"],
    ids=["no gzip", "cut off", "followed by more"],
)
async def test_a_body_that_is_not_gzip_is_a_400_and_its_connection_stays_open(worker: Worker, damage: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.client.port)
    for _ in range(2):
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: {len(damage)}\r\n\r\n"
        writer.write(head.encode() + damage)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        length = int(answer.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        assert json.loads(await reader.readexactly(length))["code"] == "MALFORMED_JSON"
    writer.close()


async def test_a_call_that_reads_no_body_does_not_decompress_one(worker: Worker) -> None:
    headers = {"Content-Encoding": "gzip"}
    for data in (b"not packed", gzip.compress(bytes(64 << 20))):
        assert (await worker.client.get("/livez", data=data, headers=headers)).status == 200


@pytest.mark.parametrize(
    ("whole", "byte"),
    [
        (b'{"a":"' + "用".encode() * 50_000 + b'\xff"}', 150_006),
        (b'{"a":"' + "用".encode() * 50_000 + b'\xe7\x94"}', 150_006),
        (b'{"a":"' + b"a" * 100_000 + "用".encode()[:2], 100_006),
        (b'{"a":"' + b"a" * 65_529 + b'\xe7\x94x"}', 65_535),
    ],
)
async def test_invalid_utf_8_is_refused_with_its_byte_in_pieces_too(worker: Worker, whole: bytes, byte: int) -> None:
    for path in (PREDICT, "/reversal/predict/batch"):
        for data, headers in ((pieces(whole), {}), (gzip.compress(whole), {"Content-Encoding": "gzip"})):
            status, answer = await sent(worker, path, data, **headers)
            assert (status, answer["code"]) == (400, "MALFORMED_JSON")
            assert f"UTF-8 (byte {byte})" in answer["error"]


async def test_characters_of_several_bytes_may_be_split_anywhere(worker: Worker) -> None:
    whole = json.dumps(asks(0.1, note="é用😀" * 100), ensure_ascii=False).encode()
    for size in (1, 7):
        assert (await sent(worker, PREDICT, pieces(whole, size)))[0] == 200


async def test_the_loop_turns_while_a_bomb_is_decompressed(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    async def counted() -> None:
        pauses.append(1)
        await let_others_run()

    monkeypatch.setattr(body, "let_others_run", counted)
    bomb = gzip.compress(bytes(64 << 20))
    assert (await sent(worker, "/reversal/predict/batch", bomb, Content_Encoding="gzip"))[0] == 413
    assert 500 <= len(pauses) <= 530  # 32 MiB in steps of 64 KiB


@pytest.mark.parametrize("path", ["/reversal/predict", "/reversal/predict/batch"])
async def test_gzip_without_its_header_is_called_so(worker: Worker, path: str) -> None:
    packed = gzip.compress(json.dumps(asks(0.1)).encode())
    for data in (packed, pieces(packed, 1), pieces(packed, 7)):
        status, answer = await sent(worker, path, data)
        assert (status, answer["code"]) == (400, "MALFORMED_JSON")
        assert "Content-Encoding: gzip" in answer["error"]
