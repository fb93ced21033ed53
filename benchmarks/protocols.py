"""Four ways to ask for the same prediction, side by side: JSON, and the Open Inference Protocol over REST and gRPC.

One server with one worker has all of them. Each way is measured in turns with 1 and 32 connections in a closed loop, on
the same 120 candles with their times. Before that, the answers of all ways are compared: they must be the same to the
last bit. The client is the same process for all, on sockets without a library (`load`, and `http2` for gRPC).
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from benchmarks import bodies, http2, servers
from benchmarks.figures import medians, shortened, watched
from benchmarks.load import Connect, Connection, LoadError, closed, message
from benchmarks.machine import machine, save
from benchmarks.options import parser

CANDLES = 120
CONNECTIONS = (1, 32)
JSON = "JSON"
FIELDS = ("open", "high", "low", "close", "volume")
MODEL = "/v2/models/reversal"
HEADER = "Inference-Header-Content-Length"
RATIOS = {"p50": "p50", "throughput": "per_second", "cpu": "cpu_us"}

# What an answer says: signal, confidence, and the probabilities of both stages.
Said = tuple[str, float, float, float | None]


class Way(NamedTuple):
    """A way to ask. messages: one for each body, in the order of `bodies.asking`. said: what an answer says."""

    name: str
    messages: Sequence[bytes]
    said: Callable[[bytes], Said]
    connect: Connect = Connection


def ways(asking: Sequence[Mapping[str, Any]], *, grpc: bool) -> list[Way]:
    """Return all ways; that over gRPC only if `grpc`, because its messages need that extra."""
    found = [
        Way(JSON, [message(bodies.PREDICT, bodies.encoded(dict(body))) for body in asking], _of_json),
        Way("V2 JSON", [_posted(body, *_v2(body, binary=False)) for body in asking], _of_v2),
        Way("V2 binary", [_posted(body, *_v2(body, binary=True)) for body in asking], _of_v2),
        Way("V2 candles alone", [_posted(body, b"", _candles(body).tobytes()) for body in asking], _of_v2),
    ]
    return [*found, _over_grpc(asking)] if grpc else found


def _candles(body: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the candles of a body, (1, n, 5)."""
    return np.array([[[bar[name] for name in FIELDS] for bar in body["data"]]], np.float64)


def _times(body: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the times of a body's candles in milliseconds, (1, n)."""
    stamps = [bar["timestamp"].removesuffix("Z") for bar in body["data"]]
    return np.array([stamps], "datetime64[ms]").astype(np.int64)


def _parameters(body: Mapping[str, Any]) -> dict[str, str]:
    return {name: body[name] for name in ("pair", "timeframe", "user_id") if name in body}


def _path(body: Mapping[str, Any]) -> str:
    """Return the path of a request. Without a version, the user's variant of the experiment answers."""
    return f"{MODEL}/versions/{body['version']}/infer" if "version" in body else f"{MODEL}/infer"


def _v2(body: Mapping[str, Any], *, binary: bool) -> tuple[bytes, bytes]:
    """Return the JSON of a request, and the binary data behind it."""
    inputs, behind = [], b""
    for name, datatype, values in (("candles", "FP64", _candles(body)), ("timestamps", "INT64", _times(body))):
        tensor: dict[str, Any] = {"name": name, "datatype": datatype, "shape": values.shape}
        if binary:
            tensor["parameters"] = {"binary_data_size": values.nbytes}
            behind += values.tobytes()
        else:
            tensor["data"] = values.ravel().tolist()
        inputs.append(tensor)
    parameters = _parameters(body) | ({"binary_data_output": True} if binary else {})
    return bodies.encoded({"inputs": inputs, "parameters": parameters}), behind


def _posted(body: Mapping[str, Any], head: bytes, behind: bytes) -> bytes:
    headers = ["Content-Type: application/json"]
    if behind:
        headers = ["Content-Type: application/octet-stream", f"{HEADER}: {len(head)}"]
    return message(_path(body), head + behind, headers=headers)


def _over_grpc(asking: Sequence[Mapping[str, Any]]) -> Way:
    pb = import_module("server.grpc.open_inference_pb2")  # here, because it needs the extra

    sent = []
    for body in asking:
        request = pb.ModelInferRequest(model_name="reversal", model_version=body.get("version", ""))
        for name, value in _parameters(body).items():
            request.parameters[name].string_param = value
        for name, datatype, values in (("candles", "FP64", _candles(body)), ("timestamps", "INT64", _times(body))):
            request.inputs.add(name=name, datatype=datatype, shape=values.shape)
            request.raw_input_contents.append(values.tobytes())
        sent.append(http2.message(request.SerializeToString()))

    def said(answer: bytes) -> Said:
        response = pb.ModelInferResponse.FromString(answer[5:])
        return _of_raw(dict(zip([each.name for each in response.outputs], response.raw_output_contents, strict=True)))

    return Way("gRPC", sent, said, http2.GrpcConnection)


def _of_json(answer: bytes) -> Said:
    data = json.loads(answer.partition(b"\r\n\r\n")[2])["data"]
    return data["signal"], data["confidence"], data["stage1_prob"], data["stage2_prob"]


def _of_v2(answer: bytes) -> Said:
    head, _, body = answer.partition(b"\r\n\r\n")
    lengths = [
        line.partition(b":")[2] for line in head.split(b"\r\n") if line.lower().startswith(HEADER.lower().encode())
    ]
    length = int(lengths[0]) if lengths else len(body)
    outputs, behind = json.loads(body[:length])["outputs"], body[length:]
    if not lengths:
        data = {each["name"]: each["data"][0] for each in outputs}
        return data["signal"], data["confidence"], data["stage1_prob"], _or_none(data["stage2_prob"])
    raw = {}
    for each in outputs:
        size = each["parameters"]["binary_data_size"]
        raw[each["name"]], behind = behind[:size], behind[size:]
    return _of_raw(raw)


def _of_raw(raw: Mapping[str, bytes]) -> Said:
    """Return what binary outputs say. A text follows its length of four bytes."""
    numbers = {name: float(np.frombuffer(raw[name], "<f8")[0]) for name in raw if name != "signal"}
    return raw["signal"][4:].decode(), numbers["confidence"], numbers["stage1_prob"], _or_none(numbers["stage2_prob"])


def _or_none(value: float | str | None) -> float | None:
    """Return the probability of Stage 2; None if it did not run, which the protocol writes as NaN."""
    return None if value is None or math.isnan(float(value)) else float(value)


def check(ports: Mapping[str, int], chosen: Sequence[Way]) -> None:
    """Check that all ways give the same answers, to the last bit. Raises LoadError if not."""
    found = {}
    for way in chosen:
        with closing(way.connect(ports[way.name])) as connection:
            found[way.name] = [way.said(connection.ask(each)) for each in way.messages]
    for name, said in found.items():
        for number, (expected, given) in enumerate(zip(found[JSON], said, strict=True)):
            if given != expected:
                raise LoadError(f"body {number}: {name} answers {given}, {JSON} {expected}")


def turn(
    running: servers.Running, ports: Mapping[str, int], chosen: Sequence[Way], seconds: float, number: int
) -> Iterator[tuple[tuple[str, int], dict[str, float]]]:
    """Measure each way; the number of the round decides which one is first. Raises LoadError for an error answer."""
    first = number % len(chosen)
    for connections in CONNECTIONS:
        for way in [*chosen[first:], *chosen[:first]]:
            at = replace(running, port=ports[way.name])
            figures = watched(at, closed, way.messages, connections, seconds, connect=way.connect)
            if figures["errors"]:
                raise LoadError(f"{way.name}: {figures['errors']:.0f} answers are errors")
            yield (way.name, connections), figures


def row(
    name: str, connections: int, way: Way, found: Mapping[tuple[str, int], Sequence[dict[str, float]]]
) -> dict[str, Any]:
    """Return the medians of the rounds, and the medians of the ratios to JSON in the same round."""
    own, base = found[name, connections], found[JSON, connections]
    ratios = {
        ratio: shortened(
            statistics.median(mine[figure] / theirs[figure] for mine, theirs in zip(own, base, strict=True))
        )
        for ratio, figure in RATIOS.items()
    }
    size = round(statistics.mean(map(len, way.messages)))
    return {"way": name, "connections": connections, "request_bytes": size, "figures": medians(own), "ratios": ratios}


def main() -> None:
    """Measure, and print the medians of the rounds."""
    options_of = parser(__doc__, "protocols", rounds=7, seconds=1.5)
    options_of.add_argument("--without-grpc", action="store_true", help="for a server without the extra `grpc`")
    options = options_of.parse_args()
    about = machine()
    chosen = ways(bodies.asking(f"{CANDLES} candles"), grpc=not options.without_grpc)
    grpc_port = servers.free_port()
    flags = [] if options.without_grpc else ["--grpc-port", str(grpc_port)]
    found: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    with servers.server(*flags, python=options.server, tree=options.tree) as running:
        ports = {way.name: grpc_port if way.connect is http2.GrpcConnection else running.port for way in chosen}
        check(ports, chosen)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            for key, figures in turn(running, ports, chosen, options.seconds, number):
                found[key].append(figures)
    rows = [row(way.name, connections, way, found) for connections in CONNECTIONS for way in chosen]
    about_run = {"rounds": options.rounds, "seconds": options.seconds, "candles": CANDLES}
    save({"machine": about, "load_after": machine()["load"], **about_run, "rows": rows}, options.output)


if __name__ == "__main__":
    main()
