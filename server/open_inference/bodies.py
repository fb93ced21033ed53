"""Bodies of answers. What answers to one item share is encoded once, if all their outputs are binary data.

That is all but the numbers, the id of the request and that of the prediction. The bytes are those of `rest.encoded`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import nan
from struct import Struct
from typing import NamedTuple

import orjson
from msgspec import structs

from core.errors import ServiceError
from core.serving.routing import Answered, Question, Result
from server.api.schemas.open_inference import MODEL
from server.http.bodies.body import BINARY
from server.open_inference.answers import answer
from server.open_inference.inference import InferenceHead
from server.open_inference.rest import EncodedAnswer, encoded

_TEXT = "signal"
_OWN_ID = b'"prediction_id":"'
# All are forgotten at once if there are more: an answer is about the latest candle, so the older ones are out of date.
MOST = 256


class _Shared(NamedTuple):
    """What answers share. json: with a place for the id, and for that of the prediction if there is an experiment.

    names, numbers: of the outputs that are numbers, and how they are packed. before: the bytes of those before the
    signal. signal: its bytes; empty if it was not asked for.
    """

    json: bytes
    names: tuple[str, ...]
    numbers: Struct
    before: int
    signal: bytes


known: dict[Hashable, _Shared] = {}


def written(asked: InferenceHead, questions: Sequence[Question], results: Sequence[Result]) -> EncodedAnswer:
    """The answer to a request, with one item or several. Raises the error of the first that has one."""
    result = results[0]
    if asked.binary is None or len(results) > 1 or isinstance(result, ServiceError):
        return encoded(answer(asked, questions, results))
    question = questions[0]
    prediction, exposure = result.prediction, result.exposure
    if result.fallback_reason is not None:
        return encoded(answer(asked, questions, results))
    decision = prediction.decision
    assigned = None if exposure is None else (exposure.experiment_id, exposure.variant)
    about = prediction.version, prediction.opens, prediction.warnings
    key = asked.binary, decision.signal, question.timeframe, about, assigned
    shared = known.get(key)
    if shared is None:
        if len(known) >= MOST:
            known.clear()
        shared = known[key] = _made(asked, question, result)
    own = b"" if asked.id is None else b',"id":' + orjson.dumps(asked.id)
    json = shared.json % ((own,) if exposure is None else (own, exposure.prediction_id.encode()))
    numbers = [getattr(decision, name) for name in shared.names]
    packed = shared.numbers.pack(*[nan if each is None else each for each in numbers])
    before = shared.before
    body = b"%b%b%b%b" % (json, packed[:before], shared.signal, packed[before:])
    return EncodedAnswer(body, BINARY, str(len(json)))


def _made(asked: InferenceHead, question: Question, result: Answered) -> _Shared:
    """From an answer, which is encoded without ids."""
    exposure = result.exposure
    blank = None if exposure is None else structs.replace(exposure, prediction_id="")
    answered = answer(asked._replace(id=None), [question], [Answered(result.prediction, None, blank)])
    body, _, length = encoded(answered)
    json = body[: int(length or 0)].replace(b"%", b"%%")
    if exposure is not None:  # in a text of the client, a quotation mark would follow a backslash
        json = json.replace(_OWN_ID, _OWN_ID + b"%b")
    begin = len(orjson.dumps({"model_name": MODEL, "model_version": answered.version})) - 1
    names = [output.name for output in answered.outputs]
    signal = b"".join([output.raw() for output in answered.outputs if output.name == _TEXT])
    before = 8 * (names.index(_TEXT) if _TEXT in names else len(names))
    numbers = tuple(name for name in names if name != _TEXT)
    return _Shared(json[:begin] + b"%b" + json[begin:], numbers, Struct(f"<{len(numbers)}d"), before, signal)
