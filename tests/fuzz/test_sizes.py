"""The bodies of `python -m fuzz.http`, and a few of them sent; `make fuzz` sends thousands."""

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


def test_a_seed_makes_the_same_request_again_of_about_the_size_that_was_asked_for() -> None:
    made = [shapes.sent(f"1-{i}", KIB, MIB) for i in range(300)]
    assert made == [shapes.sent(f"1-{i}", KIB, MIB) for i in range(300)]
    assert {one.path for one in made} == set(shapes.PLACES)
    assert {one.kind.partition(",")[0] for one in made} == {*shapes.VALUES, "a name", "a bomb"}
    bombs = [one for one in made if one.kind.startswith("a bomb")]
    assert all(one.size <= 2.5 * MIB for one in made if one not in bombs)  # an item of a megabyte may be two
    assert all(len(one.message) < MIB for one in bombs)


@pytest.mark.parametrize("kind", sorted(shapes.VALUES.keys() - {"nesting"}))
def test_what_may_stand_anywhere_is_json(kind: str) -> None:
    for seed in range(4):
        value = shapes.VALUES[kind](random.Random(seed), 3000)  # noqa: S311 - no secret
        json.loads(value, parse_int=len)


def test_every_endpoint_that_takes_something_is_sent_it() -> None:
    taking = {each.path.format(id="v30_vs_v31") for each in ENDPOINTS if each.request is not None}
    assert taking <= shapes.PLACES.keys()


def test_an_answer_that_comes_before_all_is_sent_is_one() -> None:
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


@pytest.mark.serial  # starts a server, and tells how long others wait
@pytest.mark.timeout(60)
def test_some_of_them_are_answered_while_others_are(capsys: pytest.CaptureFixture[str]) -> None:
    with servers.server() as running:
        http.prepare(running.port)
        assert sizes.run(running, seed=1, large=2, medium=2, small=20) == 0
    told = capsys.readouterr().out
    assert "large bodies by kind" in told
    assert "small bodies by endpoint" in told
