from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from benchmarks import bodies, protocols, servers
from benchmarks.load import LoadError

pytestmark = pytest.mark.serial  # starts servers

ASKING = bodies.asking("120 candles")[:4]
WAYS = ["JSON", "V2 JSON", "V2 binary", "V2 candles alone"]


def sent(message: bytes) -> tuple[list[str], bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), body


def test_all_ways_send_the_same_candles() -> None:
    ways = {way.name: way for way in protocols.ways(ASKING, grpc=False)}
    assert [*ways] == WAYS
    for number, body in enumerate(ASKING):
        rows = [[bar[name] for name in ("open", "high", "low", "close", "volume")] for bar in body["data"]]
        _, text = sent(ways["V2 JSON"].messages[number])
        candles, times = json.loads(text)["inputs"]
        assert candles["data"] == np.ravel(rows).tolist()
        assert candles["shape"] == [1, 120, 5]
        first = np.datetime64(body["data"][0]["timestamp"].removesuffix("Z"), "ms").astype(np.int64)
        assert times["data"][0] == first
        headers, whole = sent(ways["V2 binary"].messages[number])
        (length,) = [int(line.split(": ")[1]) for line in headers if line.startswith("Inference-Header")]
        assert whole[length:] == np.array(rows).tobytes() + np.array(times["data"]).tobytes()
        headers, whole = sent(ways["V2 candles alone"].messages[number])
        assert "Inference-Header-Content-Length: 0" in headers
        assert whole == np.array(rows).tobytes()


def test_every_way_gives_the_same_answer() -> None:
    ways = protocols.ways(ASKING, grpc=False)
    with servers.server() as running:
        ports = dict.fromkeys(WAYS, running.port)
        protocols.check(ports, ways)
        other = replaced(ways, 1, ways[1].messages[::-1])
        with pytest.raises(LoadError, match="body 0: V2 JSON"):
            protocols.check(ports, other)
        measured = dict(protocols.turn(running, ports, ways[:2], 0.1, 1))
    assert measured.keys() == {(name, connections) for name in WAYS[:2] for connections in (1, 32)}
    assert all(figures["cpu_us"] > 0 for figures in measured.values())


def replaced(ways: list[protocols.Way], at: int, messages: Any) -> list[protocols.Way]:  # noqa: ANN401
    return [way._replace(messages=messages) if i == at else way for i, way in enumerate(ways)]


def test_ratios_are_of_the_same_round() -> None:
    def figures(p50: float) -> dict[str, float]:
        return {"p50": p50, "per_second": 1 / p50, "cpu_us": 100 * p50, "answers": 1, "errors": 0}

    found = {("JSON", 1): [figures(1.0), figures(2.0)], ("V2 binary", 1): [figures(0.5), figures(1.0)]}
    way = protocols.ways(ASKING, grpc=False)[2]
    row = protocols.row("V2 binary", 1, way, found)
    assert row["ratios"] == {"p50": 0.5, "throughput": 2.0, "cpu": 0.5}
    assert row["figures"]["p50"] == 0.75
    assert row["request_bytes"] == round(np.mean([len(each) for each in way.messages]))
