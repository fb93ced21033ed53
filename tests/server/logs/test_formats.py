from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from core.log_event import LogEvent
from server.logs.formats import JsonFormatter, TextFormatter
from server.logs.request_id import during


def record(message: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("some.logger", logging.WARNING, "file", 1, message, (), None)
    vars(made).update(more)
    return made


def entry(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(made)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def test_json_has_time_level_logger_event_and_typed_fields() -> None:
    event = LogEvent("stored", count=3, share=0.5, well=True, of=None, names=["a", "b"], path=Path("a b"))
    made = record(event, created=1_700_000_000.0417)
    assert entry(made) == {
        "time": "2023-11-14T22:13:20.041Z",
        "level": "warning",
        "logger": "some.logger",
        "event": "stored",
        "fields": {"count": 3, "share": 0.5, "well": True, "of": None, "names": ["a", "b"], "path": "a b"},
    }


def test_a_field_takes_the_place_of_nothing() -> None:
    found = entry(record(LogEvent("tokens_loaded", level="admin", time=1, event="x")))
    assert (found["level"], found["event"], found["fields"]["level"]) == ("warning", "tokens_loaded", "admin")


@pytest.mark.parametrize("value", ["first\nsecond", '"', "\u2028", "\x00\x1b[31m", "\udcff", 1 << 80, OSError("x\ny")])
def test_any_value_stays_one_line(value: object) -> None:
    found = entry(record(LogEvent("stored", value=value)))
    assert found["fields"]["value"] in (value, str(value))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("nan"), 1 << 80]])
def test_a_number_that_json_lacks_is_null(value: object) -> None:
    found = entry(record(LogEvent("stored", value=value)))["fields"]["value"]
    assert found is None or found[0] is None


def test_a_library_has_a_message_and_no_event() -> None:
    found = entry(record("took %d s", args=(3,)))
    assert found["message"] == "took 3 s"
    assert "event" not in found
    assert "fields" not in found


def test_an_exception_is_a_field_in_json_and_lines_in_text() -> None:
    try:
        int("bad\nvalue")
    except ValueError as error:
        made = record(LogEvent("failed"), exc_info=(ValueError, error, error.__traceback__))
    assert entry(made)["exception"].endswith(r"'bad\nvalue'")
    first, *_, last = TextFormatter().format(made).splitlines()
    assert first.endswith("some.logger: failed")
    assert last.startswith("ValueError: ")


def test_the_request_is_named_in_both_formats() -> None:
    made = record(LogEvent("stored", count=1))
    with during("r-1"):
        assert entry(made)["request_id"] == "r-1"
        text = TextFormatter().format(made)
    assert re.fullmatch(r"[\d-]+T[\d:]+\.\d{3}Z WARNING some.logger: stored count=1 request_id=r-1", text)
    assert entry(record(LogEvent("stored"), request_id="own"))["request_id"] == "own"
    assert "request_id" not in entry(made)
    assert "request_id" not in TextFormatter().format(made)


def test_a_text_that_was_not_logged_is_a_line_of_json_too() -> None:
    found = json.loads(JsonFormatter().plain("Traceback (most recent call last):"))
    assert (found["level"], found["logger"], found["message"]) == (
        "error",
        "stderr",
        "Traceback (most recent call last):",
    )
    assert TextFormatter().plain("text") == "text"
