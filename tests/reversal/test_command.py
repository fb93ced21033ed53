"""The command `reversal`, run from the source tree."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from core.version import VERSION
from reversal import __main__ as command
from tests.market import ROOT, VERSIONS


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


def test_help_imports_no_click() -> None:
    code = "import sys; from reversal.__main__ import main; main(['--help']); assert 'click' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_a_reader_that_leaves_is_141_without_a_word() -> None:
    for arguments in (["--help"], ["models"], ["models", "--json"], ["predict", "docs/examples/predict.json", "--all"]):
        reader, writer = os.pipe()
        os.close(reader)
        call = [sys.executable, "-m", "reversal", *arguments]
        ended = subprocess.run(call, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        assert (ended.returncode, ended.stderr) == (141, b""), arguments


def test_closed_and_full_streams_end_without_a_traceback() -> None:
    call = f"{shlex.quote(sys.executable)} -m reversal"
    for line, code in (
        (f"{call} --help >&-", 0),
        (f"{call} models >&-", 0),
        (f"{call} models --json >&-", 0),
        (f"{call} predict - <&-", 1),
        (f"{call} --help >/dev/full", 1),
        (f"{call} models --json >/dev/full", 1),
    ):
        ended = subprocess.run(["/bin/sh", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (code, code), line


@pytest.mark.parametrize("name", ["models", "import"])
def test_an_interrupt_is_130(
    name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("core.bundles.repository.Repository.listing", interrupted)
    monkeypatch.setitem(command.COMMANDS, "import", command.COMMANDS["import"]._replace(run=interrupted))
    monkeypatch.setattr(sys, "argv", ["reversal", name, str(tmp_path)] if name == "import" else ["reversal", name])
    assert command.console() == 130
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("reversal ", [*command.COMMANDS, *command.CLICK]),
        ("reversal s", ["serve"]),
        ("reversal serve --po", ["--port"]),
        ("reversal doctor --j", ["--json", "--journals", "--journals-mib"]),
        ("reversal predict --version v3.", VERSIONS),
    ],
)
def test_completion_knows_commands_flags_and_versions(
    words: str, found: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_REVERSAL_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    monkeypatch.setenv("REVERSAL_MODELS", str(ROOT / "models" / "onnx"))
    assert command.main([]) == 0
    assert sorted(capfd.readouterr().out.split()) == sorted(f"plain,{each}" for each in found)
