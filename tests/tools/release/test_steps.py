from __future__ import annotations

from pathlib import Path

import pytest

from tests.market import ROOT
from tools.release import steps
from tools.release.__main__ import audited
from tools.release.steps import NoResult, Step, StepFailed, check, last_line, output


def works() -> str:
    return "as it should be"


def fails() -> str:
    raise StepFailed("two builds differ")


def does_not_know() -> str:
    raise NoResult("PyPI did not answer")


def breaks() -> str:
    raise KeyError("name")


@pytest.mark.parametrize(
    ("steps", "code", "last"),
    [
        ([works, works], 0, "release-check: all 2 steps passed"),
        ([works, does_not_know], 3, "release-check: nothing failed, but there is no result for does_not_know"),
        ([does_not_know, fails, works], 1, "release-check: 1 of 3 steps failed"),
        ([breaks, fails], 1, "release-check: 2 of 2 steps failed"),
    ],
)
def test_the_exit_code_tells_a_failure_from_what_is_not_known(steps: list, code: int, last: str) -> None:  # type: ignore[type-arg]
    lines: list[str] = []
    assert check([Step(step.__name__, step) for step in steps], lines.append) == code
    assert lines[-1] == last
    assert len(lines) == len(steps) + 1  # all run, also after a failure


def test_a_step_has_a_line_with_its_state_and_its_reason() -> None:
    lines: list[str] = []
    check([Step(step.__name__, step) for step in (works, fails, does_not_know, breaks)], lines.append)
    assert [line.split()[0] for line in lines[:2]] == ["passed", "FAILED"]
    assert lines[2].startswith("no result  does_not_know")
    for line, reason in zip(
        lines, ["as it should be", "two builds differ", "PyPI did not answer", "KeyError: 'name'"], strict=False
    ):
        assert line.endswith(f" s  {reason}")


def test_an_audit_without_an_answer_has_no_result() -> None:
    with pytest.raises(NoResult, match=r"^PyPI did not answer for every package: run `make audit` where"):
        audited(2, "audit: no result: PyPI did not answer for every package\nmake: *** [Makefile:1: audit] Error 1\n")


def test_an_audit_with_a_finding_fails() -> None:
    said = "Found 1 known vulnerability in 1 package\nName Version ID Fix\n"
    with pytest.raises(StepFailed, match=r"^Found 1 known vulnerability in 1 package$"):
        audited(2, said)
    assert audited(0, "") == "no known vulnerability"


def test_a_command_that_fails_gives_its_last_line() -> None:
    with pytest.raises(StepFailed, match=r"^git: fatal:"):
        output("git", "rev-parse", "--verify", "no-such-name")
    assert last_line("one\ntwo \n\n") == "two"
    assert last_line("") == ""


def test_skipped_tests_are_no_result_and_failed_ones_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "LOGS", tmp_path)
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    file = tmp_path / "test_three.py"
    file.write_text("def test_passes():\n    pass\n")
    assert steps.tested("three", [str(file)]).startswith("1 passed")
    file.write_text("from tests import needs\ndef test_skips():\n    needs.missing('promtool is not installed')\n")
    monkeypatch.setenv("CI", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with pytest.raises(NoResult, match=r"1 skipped.*: promtool is not installed \(three\.log\)$"):
        steps.tested("three", [str(file)])
    file.write_text("def test_fails():\n    assert 1 == 2\n")
    with pytest.raises(StepFailed, match=r"^1 failed.*; FAILED .*test_three.py::test_fails.* \(three\.log\)$"):
        steps.tested("three", [str(file)])
