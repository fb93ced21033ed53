"""The two formats of a log line: text for people, JSON for programs."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from core.log_event import LogEvent
from server.logs.request_id import TracedId, of_record

Json = dict[str, Any]


class TextFormatter(logging.Formatter):
    """Lines of the form `time level logger: event key=value`, the ids of the request and of its trace last."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as the base class has it
        """The line, without the traceback that may follow it."""
        line = super().formatMessage(record)
        request_id = of_record(record)
        if isinstance(request_id, TracedId):
            return f"{line} request_id={request_id} trace_id={request_id.trace_id}"
        return f"{line} request_id={request_id}" if request_id else line

    def plain(self, text: str) -> str:
        """A line of a text that was not logged, such as a part of a traceback."""
        return text


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, event and fields (or message), and if any, ids and exception.

    Fields are apart from the rest, so that none can take the place of another.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line. Numbers, booleans and lists of fields keep their types, everything else is text."""
        entry = _entry(record.created, record.levelname, record.name)
        if isinstance(record.msg, LogEvent):
            entry["event"] = record.msg.name
            entry["fields"] = record.msg.fields
        else:
            entry["message"] = record.getMessage()
        if request_id := of_record(record):
            entry["request_id"] = request_id
        if isinstance(request_id, TracedId):
            entry["trace_id"], entry["span_id"] = request_id.trace_id, request_id.span_id
        if record.exc_info and record.exc_info[0] is not None:
            entry["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            entry["exception"] = record.exc_text
        if record.stack_info:
            entry["stack"] = self.formatStack(record.stack_info)
        return _encoded(entry)

    def plain(self, text: str) -> str:
        """A line of a text that was not logged, such as a part of a traceback."""
        return _encoded({**_entry(time.time(), "ERROR", "stderr"), "message": text})


def _entry(created: float, level: str, logger: str) -> Json:
    """The fields of every line. The time is RFC 3339, UTC, with milliseconds."""
    milliseconds = int(created * 1000)
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return {"time": f"{seconds}.{milliseconds % 1000:03d}Z", "level": level.lower(), "logger": logger}


def _encoded(entry: Json) -> str:
    import orjson  # noqa: PLC0415 - only for this format, so that the other one does not load it before the fork

    try:
        return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # an integer of more than 64 bits, or text that is not Unicode
        return json.dumps(_plain(entry))


def _plain(value: object) -> object:
    """The value as the json module can encode it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
