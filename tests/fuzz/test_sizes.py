"""The bodies of `python -m fuzz.http`. A few of them are sent here; `make fuzz` sends thousands."""

from __future__ import annotations

import json
import random
import socket
import threading

import pytest

from benchmarks import servers
from fuzz import http, shapes, sizes
from server.api.endpoints import ENDPOINTS

KIB, MIB = 1 << 10, 1 << 20


def test_a_seed_always_gives_the_same_request_of_about_the_given_size() -> None:
    made = [shapes.sent(f"1-{i}", KIB, MIB) for i in range(300)]
    assert made == [shapes.sent(f"1-{i}", KIB, MIB) for i in range(300)]
    assert {one.path for one in made} == set(shapes.PLACES)
    assert {one.kind.partition(",")[0] for one in made} == {*shapes.VALUES, "a name", "a bomb"}
    bombs = [one for one in made if one.kind.startswith("a bomb")]
    # Items of 1 MiB are not cut, so a body can be larger than the given size.
    assert all(one.size <= 2.5 * MIB for one in made if one not in bombs)
    assert all(len(one.message) < MIB for one in bombs)


@pytest.mark.parametrize("kind", sorted(shapes.VALUES.keys() - {"nesting"}))
def test_every_value_is_json(kind: str) -> None:
    for seed in range(4):
        value = shapes.VALUES[kind](random.Random(seed), 3000)  # noqa: S311 - no secret
        json.loads(value, parse_int=len)


def test_every_endpoint_with_a_body_has_a_place() -> None:
    with_body = {
        each.path.format(id="v30_vs_v31", model="reversal", version="v3.0")
        for each in ENDPOINTS
        if each.request is not None
    }
    assert with_body <= shapes.PLACES.keys()


def test_an_answer_before_the_end_of_the_request_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            client, _ = server.accept()
            with client:
                client.recv(KIB)
                client.sendall(b"HTTP/1.1 413 no\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        assert sizes.answered(server.getsockname()[1], bytes(64 * MIB)) == 413
        thread.join()


@pytest.mark.serial  # starts a server, and measures how long other requests wait
@pytest.mark.timeout(60)
def test_bodies_of_each_size_are_answered_while_another_client_asks(capsys: pytest.CaptureFixture[str]) -> None:
    with servers.server() as running:
        http.prepare(running.port)
        assert sizes.run(running, seed=1, large=2, medium=2, small=20) == 0
    shown = capsys.readouterr().out
    assert "large bodies by kind" in shown
    assert "small bodies by endpoint" in shown
