from __future__ import annotations

import logging
from pathlib import Path

import pytest

from core.log_event import LogEvent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("v3.1", "v3.1"),
        (Path("models/onnx"), "models/onnx"),
        (12, "12"),
        (True, "true"),
        (None, ""),
        (2.5, "2.5"),
        (1 / 3, "0.333333"),
        (["v3.0", "v3.1"], "v3.0,v3.1"),
        ([], '""'),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "no"', '"say \\"no\\""'),
        ("first\nsecond event=forged", '"first\\nsecond event=forged"'),
        ("ü", '"\\u00fc"'),
        (OSError("disk full"), '"disk full"'),
    ],
)
def test_a_value_stays_one_field(value: object, text: str) -> None:
    assert str(LogEvent("stored", at=value, count=1)) == f"stored at={text} count=1"


def test_an_event_without_fields_is_its_name() -> None:
    assert str(LogEvent("stopped")) == "stopped"


def test_a_logger_takes_it_as_its_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("any").info(LogEvent("version_loaded", version="v3.1", share="50 %"))
    assert caplog.messages == ['version_loaded version=v3.1 share="50 %"']
    assert isinstance(caplog.records[0].msg, LogEvent)
