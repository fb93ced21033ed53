"""The fuzzed functions. Each takes bytes, and may raise only the errors that its code documents."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from convert.errors import Refused
from convert.trees import ensemble
from convert.untrusted.trees import text
from core import native
from core.bundles import bundle, manifest, onnx_file
from core.errors import ServiceError
from core.features.candles import Candles
from core.features.catalogue import matrix, required_candles
from core.features.table import Table
from core.inference.detector import Detector, Prediction
from core.serving.routing import Answered
from server.api import candle_forms, decoding
from server.api.schemas.predictions import MAX_BATCH
from server.http.bodies import json_items, sizes
from server.http.bodies.body import check_text
from server.http.errors import PROTOCOL, status_of
from server.open_inference import rest
from server.open_inference.answers import answer
from server.open_inference.questions import Questions

ROOT = Path(__file__).parents[1]
ONNX = ROOT / "models" / "onnx"
_SERVER_ERROR = 500
_BATCH = json_items.Listed("items", MAX_BATCH, sizes.SINGLE, decoding.batch)
# Up to this price, differences, squares and ratios do not overflow. Overflows are checked by the caller.
_LARGEST = 1e6


@cache
def _detector() -> Detector:
    return Detector(bundle.read(ONNX / "v3.0"))


def validation(data: bytes) -> None:
    """A body becomes a question, and the question an answer; or the body is refused with an error of the client."""
    try:
        check_text(data)
        question = decoding.prediction(data, 0.0)
    except ServiceError as error:
        if status_of(error) >= _SERVER_ERROR:
            raise
        return
    (outcome,) = _detector().predict([question.source])
    if isinstance(outcome, Prediction):
        decision = outcome.decision
        if not (0.0 <= decision.confidence <= 1.0 and 0.0 <= decision.stage1_prob <= 1.0):
            raise AssertionError(decision)
    elif status_of(outcome) >= _SERVER_ERROR:
        raise outcome
    question.source.candle_key()


def extension(data: bytes) -> None:
    """With the extension in C a body is decoded as without it, or refused with the same error."""
    found: list[object] = []
    for each in (None, native.extension):
        vars(candle_forms)["extension"] = each
        try:
            check_text(data)
            source = decoding.prediction(data, 0.0, now=0.0).source
            found.append((source.window_key(), source.opens, source.warnings))
        except ServiceError as error:
            found.append((type(error), error.message))
    if found[0] != found[1]:
        raise AssertionError(found)


def items(data: bytes) -> None:
    """Decoding a batch item by item gives the items of the decoder, or refuses the body."""
    try:
        check_text(data)
        found = [item for item in json_items.split(data, _BATCH) if item is not None]
    except ServiceError as error:
        if status_of(error) >= _SERVER_ERROR:
            raise
        return
    if [bytes(item).strip() for item in found] != [bytes(item) for item in decoding.batch(data)]:
        raise AssertionError("the items differ")


def comparison(data: bytes) -> None:
    """A body becomes a comparison, or is refused with an error of the client."""
    try:
        check_text(data)
        wanted = decoding.comparison(data)
        decoding.compared_windows(wanted, ["v3.0", "v3.1"])
    except ServiceError as error:
        if status_of(error) >= _SERVER_ERROR:
            raise


def tensors(data: bytes) -> None:
    """A body of the Open Inference Protocol is answered, or refused with an error of the client.

    The first two bytes choose the header with the length of the JSON object: none, 0, the right one, or any.
    """
    kind, body = data[:2], data[2:]
    forms = (None, "0", str(_length_of_json(body)), str(kind[-1] if kind else 0))
    header = forms[kind[0] % len(forms)] if kind else None
    try:
        asked = rest.inference(body, header, None)
        several = Questions(asked, 0.0, math.inf)
        questions = [several.question(item) for item in range(several.count)]
    except ServiceError as error:
        if PROTOCOL.status(error.code, in_body=bool(error.details)) >= _SERVER_ERROR:
            raise
        return
    outcomes = _detector().predict([question.source for question in questions])
    results = [Answered(each) if isinstance(each, Prediction) else each for each in outcomes]
    try:
        found = answer(asked.head, questions, results)
    except ServiceError as error:
        if PROTOCOL.status(error.code, in_body=bool(error.details)) >= _SERVER_ERROR:
            raise
        return
    written = rest.encoded(found)
    if written.header is None:
        json.loads(written.body)
    for question in questions:
        question.source.candle_key()


def messages(data: bytes) -> None:
    """A message of gRPC is answered, or refused with an error of the client."""
    from server.grpc import messages as of_grpc  # noqa: PLC0415 - needs the extra
    from server.grpc.open_inference_pb2 import ModelInferResponse  # noqa: PLC0415

    try:
        request = of_grpc.request_of(data)
        asked = of_grpc.inference(request)
        several = Questions(asked, 0.0, math.inf)
        questions = [several.question(item) for item in range(several.count)]
        outcomes = _detector().predict([question.source for question in questions])
        results = [Answered(each) if isinstance(each, Prediction) else each for each in outcomes]
        found = answer(asked.head, questions, results)
    except ServiceError as error:
        if PROTOCOL.status(error.code, in_body=bool(error.details)) >= _SERVER_ERROR:
            raise
        return
    for raw in (False, True, of_grpc.is_raw(request)):
        ModelInferResponse.FromString(of_grpc.encoded(found, raw=raw))


def _length_of_json(body: bytes) -> int:
    """Where the first JSON value of a body ends; its whole length if it has none."""
    try:
        text = body.decode("latin-1")
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return len(body)
    return end


def features(data: bytes) -> None:
    """The fast table of features agrees with the plain computation on every finite series."""
    values = np.frombuffer(data[: len(data) // 40 * 40], np.float64).reshape(5, -1)
    with np.errstate(all="ignore"):
        values = np.abs(np.nan_to_num(values, posinf=1.0, neginf=1.0)) % _LARGEST + 1e-3
    count = values.shape[1]
    stage = _detector().manifest.stage1
    if count < required_candles(stage.features, stage.sequence_length):
        return
    candles = Candles(np.ascontiguousarray(values))
    with np.errstate(all="ignore"):
        table = _table()([candles])[0][:, _table().columns(stage.features)]
    plain = matrix(candles, stage.features, stage.sequence_length)
    scale = float(values.max())
    np.testing.assert_allclose(table, plain, rtol=1e-7, atol=1e-9 * scale)


@cache
def _table() -> Table:
    stage = _detector().manifest.stage1
    return Table(stage.features, stage.sequence_length)


def manifests(data: bytes) -> None:
    """A manifest is read, written and read again, or refused with ManifestError."""
    try:
        found = manifest.decode(data)
    except manifest.ManifestError:
        return
    if manifest.decode(manifest.encode(found)) != found:
        raise AssertionError("the manifest differs from what was written")


def graphs(data: bytes) -> None:
    """An ONNX file is read, or refused with ValueError."""
    try:
        onnx_file.opsets(data)
        onnx_file.forbidden(data)
    except ValueError:
        pass


def trees(data: bytes) -> None:
    """LightGBM's text is read, or refused; each leaf of what is read has one way from the root."""
    try:
        found = text.parse(io.BytesIO(data))
    except Refused:
        return
    for tree in ensemble.trees(found):
        ways = [0] * len(tree.value)
        waiting = [0] if len(tree.column) else []
        while waiting:
            split = waiting.pop()
            for child in (int(tree.left[split]), int(tree.right[split])):
                if child < 0:
                    ways[-child - 1] += 1
                else:
                    waiting.append(child)
        if len(tree.column) and ways != [1] * len(tree.value):
            raise AssertionError(ways)
        if not (np.isfinite(tree.threshold).all() and np.isfinite(tree.value).all()):
            raise AssertionError(tree)
        if len(tree.column) and not 0 <= tree.column.min() <= tree.column.max() < len(found.columns):
            raise AssertionError(tree)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "validation": validation,
    "extension": extension,
    "comparison": comparison,
    "items": items,
    "tensors": tensors,
    "messages": messages,
    "features": features,
    "manifests": manifests,
    "graphs": graphs,
    "trees": trees,
}
