"""The command `reversal`, run from the source tree."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from core.version import VERSION
from reversal import __main__ as command
from tests.market import ROOT


def python_m_reversal(*arguments: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "reversal", *arguments]
    return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"reversal {VERSION}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: reversal [OPTIONS] COMMAND [ARGS]...")
    names = [*command.COMMANDS, *command.CLICK]
    assert re.findall(r"^  ([a-z]+)  ", out.partition("Commands:")[2], re.MULTILINE) == names


@pytest.mark.parametrize(
    ("arguments", "named"), [([], []), (["sreve"], ["Error: No such command 'sreve'."])], ids=["none", "unknown"]
)
def test_usage_is_shown_without_a_known_command(
    arguments: list[str], named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("Usage: reversal [OPTIONS] COMMAND")
    assert [line for line in shown.splitlines() if "No such" in line] == named


@pytest.mark.parametrize("name", ["convert", "train"])
def test_a_missing_extra_is_one_line_with_the_command_that_installs_it(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda module: None if module == "tensorflow" else module)
    assert command.main([name, "--help"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"reversal {name}: not installed: tensorflow. ")
    assert "`pip install 'reversal[convert]'`" in shown.err
    assert "`pip install '.[convert]'`" in shown.err
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["serve", "convert"])
def test_the_usage_of_a_command_shows_the_typed_command(name: str) -> None:
    ended = python_m_reversal(name, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"usage: python -m reversal {name} [-h]")


def test_the_usage_of_train_shows_the_typed_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):  # in this process: TensorFlow is imported once for all tests
        command.main(["train", "--help"])
    assert capsys.readouterr().out.startswith("usage: reversal train [-h]")


@pytest.mark.parametrize(
    ("arguments", "usage", "end"),
    [
        (["serve", "--prot", "1"], "usage: python -m reversal serve [-h]", "error: unrecognized arguments: --prot\n"),
        (["serve", "--port", "http"], "", "from 0 to 65535; example: --port 8000\n"),
        (["convert", "--sauce"], "usage: python -m reversal convert [-h]", "unrecognized arguments: --sauce\n"),
        (["import"], "usage: python -m reversal import FOLDER [the server's flags]\n", ""),
        (["import", ".", "--prot"], "usage: python -m reversal import FOLDER [-h]", "arguments: --prot\n"),
    ],
)
def test_a_bad_call_of_a_command_ends_with_2(arguments: list[str], usage: str, end: str) -> None:
    ended = python_m_reversal(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(usage)
    assert ended.stderr.endswith(end)
