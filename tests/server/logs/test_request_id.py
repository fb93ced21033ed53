from __future__ import annotations

import os
import re

import pytest

from server.logs.request_id import new, request_id

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
GENERATED = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("given", ["a", "x" * 128, "2f1c-77_A.b~c:/d+e@f", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_a_usable_id_is_kept(given: str) -> None:
    assert request_id({"X-Request-Id": given, "traceparent": PARENT}) == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x" * 129,
        "a b",
        "a\r\nSet-Cookie: b",
        "a\nevent=forged",
        "ü",
        "a=b",
        '"',
        "a,b",
        "a;b",
        "\x00",
        "a\n",
        "\udcff",
    ],
)
def test_an_unusable_id_is_replaced(given: str) -> None:
    assert GENERATED.fullmatch(request_id({"X-Request-Id": given}))
    assert request_id({"X-Request-Id": given, "traceparent": PARENT}) == TRACE


@pytest.mark.parametrize("given", [PARENT, f"cc-{TRACE}-00f067aa0ba902b7-01-what-comes-later"])
def test_the_trace_id_is_taken(given: str) -> None:
    assert request_id({"traceparent": given}) == TRACE


@pytest.mark.parametrize(
    "given",
    [
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"{PARENT}-more",
        PARENT[:-1],
        f"{PARENT}\n",
        "",
    ],
)
def test_an_invalid_trace_is_ignored(given: str) -> None:
    found = request_id({"traceparent": given})
    assert GENERATED.fullmatch(found)
    assert found != TRACE


def test_new_ids_differ_also_in_a_forked_process() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, new().encode())
        os._exit(0)
    os.waitpid(child, 0)
    found = {os.read(reading, 32).decode(), *(new() for _ in range(1000))}
    for each in (reading, writing):
        os.close(each)
    assert len(found) == 1001
    assert all(GENERATED.fullmatch(each) for each in found)
