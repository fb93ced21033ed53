"""The promises of docs/versions.md: one change at a time, and whether a release of that kind may have it."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.market import ROOT
from tools.release import interface
from tools.release.steps import StepFailed
from tools.release.versions import Section

KEPT = interface.present() | {"version": "1.2.3"}


def changed(path: str, value: object) -> dict[str, Any]:
    """The interface with one value replaced, added or, with None, removed."""
    made = copy.deepcopy(KEPT)
    *places, last = path.split("|")
    place = made
    for name in places:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return made


BREAKS = [
    ("calls|GET /readyz", None, "GET /readyz is gone"),
    ("calls|GET /health|answers", ["Probe"], "GET /health has another answer than Health"),
    ("answers|Prediction|confidence", None, "Prediction.confidence is gone"),
    ("answers|Prediction|confidence|is", ["null", "number"], "Prediction.confidence may be null"),
    ("answers|Prediction|confidence|required", False, "Prediction.confidence may be absent"),
    ("requests|PredictRequest|user_id", None, "PredictRequest.user_id is gone"),
    (
        "requests|CreateExperiment|mode|is",
        ['"split"', "null"],
        'CreateExperiment.mode may no longer be "cross.*shadow"',
    ),
    ("requests|CreateExperiment|owner|required", True, "CreateExperiment.owner must be there"),
    ("requests|PredictRequest|more", {"is": ["string"], "required": True}, "PredictRequest.more must be there"),
    ("codes", KEPT["codes"][1:], 'the code "CONFLICT" is gone'),
    ("settings|REVERSAL_PORT", None, "the setting REVERSAL_PORT is gone"),
    ("settings|REVERSAL_PORT", "8001", "the setting REVERSAL_PORT has another default"),
]
ADDS = [
    ("calls|GET /more", {"body": [], "answers": []}),
    ("answers|Prediction|more", {"is": ["string"], "required": True}),
    ("requests|PredictRequest|more", {"is": ["string"], "required": False}),
    ("requests|CreateExperiment|mode|is", [*KEPT["requests"]["CreateExperiment"]["mode"]["is"], '"more"']),
    ("answers|Experiment|status|is", [*KEPT["answers"]["Experiment"]["status"]["is"], '"paused"']),
    ("codes", [*KEPT["codes"], '"MORE"']),
    ("settings|REVERSAL_MORE", ""),
]


@pytest.mark.parametrize(("path", "value", "said"), BREAKS)
def test_what_a_client_or_an_operator_would_have_to_change_is_found(path: str, value: object, said: str) -> None:
    found = interface.broken(KEPT, changed(path, value))
    assert len(found) == 1, found
    assert re.fullmatch(said, found[0]), found


@pytest.mark.parametrize(("path", "value"), ADDS)
def test_what_only_adds_breaks_nothing(path: str, value: object) -> None:
    made = changed(path, value)
    assert made != KEPT
    assert interface.broken(KEPT, made) == []


DEPRECATED = [Section("1.1.0", "2026-12-01", {"Deprecated": ["- The field `confidence` and `REVERSAL_PORT`."]})]


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ("1.2.3", "2.0.0", True),
        ("1.2.3", "1.3.0", False),
        ("1.2.3", "1.2.4", False),
        ("0.2.3", "0.3.0", True),
        ("0.2.3", "0.2.4", False),
        ("0.2.3", "1.0.0", True),
    ],
)
def test_only_a_major_release_breaks_and_below_1_a_minor_one(old: str, new: str, may: bool) -> None:  # noqa: FBT001 - a case of the test
    made = changed("answers|Prediction|confidence", None) | {"version": new}
    before = KEPT | {"version": old}
    found = interface.broken(before, made)
    if may:
        interface.allowed(before, made, found, DEPRECATED)
    else:
        with pytest.raises(StepFailed, match=rf"^{new} may not break promises of {old}: Prediction.confidence is gone"):
            interface.allowed(before, made, found, DEPRECATED)


def test_what_goes_was_deprecated_in_an_earlier_release() -> None:
    made = changed("settings|REVERSAL_PORT", None) | {"version": "2.0.0"}
    found = interface.broken(KEPT, made)
    interface.allowed(KEPT, made, found, DEPRECATED)
    for late in ([], [DEPRECATED[0]._replace(version="2.0.0")], [DEPRECATED[0]._replace(day=None)]):
        with pytest.raises(StepFailed, match="not deprecated in an earlier release: the setting REVERSAL_PORT is gone"):
            interface.allowed(KEPT, made, found, late)


def test_a_patch_release_adds_nothing() -> None:
    made = changed("settings|REVERSAL_MORE", "") | {"version": "1.2.4"}
    with pytest.raises(StepFailed, match="patch release, and the setting REVERSAL_MORE is new"):
        interface.allowed(KEPT, made, [], [])
    interface.allowed(KEPT, made | {"version": "1.3.0"}, [], [])


@pytest.mark.parametrize("name", ["bundle_format", "store_steps"])
def test_a_patch_release_changes_no_format(name: str) -> None:
    made = changed(name, KEPT[name] + 1)
    interface.allowed(KEPT, made | {"version": "1.3.0"}, [], [])
    with pytest.raises(StepFailed, match="it is a patch release"):
        interface.allowed(KEPT, made | {"version": "1.2.4"}, [], [])


def test_the_step_compares_with_the_last_release(tmp_path: Path) -> None:
    file = tmp_path / "interface.json"
    assert interface.check(ROOT, file).startswith("there is no earlier release")
    old = interface.present()
    file.write_text(json.dumps(old))
    assert interface.check(ROOT, file) == f"all promises of {old['version']} kept"
    old["settings"]["REVERSAL_OLD"] = ""
    file.write_text(json.dumps(old))
    with pytest.raises(StepFailed, match="the setting REVERSAL_OLD is gone"):
        interface.check(ROOT, file)


def test_the_interface_has_all_that_is_promised() -> None:
    assert {"POST /reversal/predict", "GET /health", "POST /v2/models/{model}/infer"} <= KEPT["calls"].keys()
    assert {"open", "close"} <= KEPT["requests"]["Candle"].keys()
    assert KEPT["answers"]["Prediction"]["confidence"] == {"is": ["number"], "required": True}
    assert KEPT["settings"]["REVERSAL_PORT"] == "8000"
