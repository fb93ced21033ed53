"""Every example of the command line and of Python runs from the installed wheel, as it is written."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from reversal.__main__ import CLICK, COMMANDS
from reversal.commands.group import group
from tests.market import ROOT
from tests.processes import Server, post
from tests.reversal.installed import ENVIRON, reversal, serving

pytestmark = pytest.mark.serial  # installs an environment and starts a server

PAGE = (ROOT / "docs" / "command-line.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
EXAMPLES = ROOT / "docs" / "examples"
PASSED_ON = ("serve", "convert", "train", "import")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a person has: a file of candles, and the documents."""
    made = tmp_path_factory.mktemp("examples")
    (made / "docs").symlink_to(ROOT / "docs")
    candles = json.loads((EXAMPLES / "predict.json").read_bytes())["data"]
    with (made / "candles.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, candles[0])
        writer.writeheader()
        writer.writerows(candles)
    return made


@pytest.fixture(scope="module")
def server(commands: Path, folder: Path) -> Iterator[Server]:
    with serving(commands, folder) as started:
        create = {
            "experiment_id": "v30_vs_v31",
            "name": "n",
            "variant_a": "v3.0",
            "variant_b": "v3.1",
            "traffic_split": 0.5,
        }
        assert post(f"{started.url}/reversal/experiments", json.dumps(create).encode())[0] == 201
        yield started


def test_every_line_of_the_page_gives_what_it_shows(commands: Path, folder: Path) -> None:
    (block,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    parts = re.split(r"^\$ reversal (.*)\n", block, flags=re.MULTILINE)[1:]
    assert len(parts) == 8
    for line, expected in zip(parts[::2], parts[1::2], strict=True):
        ended = reversal(commands, folder, *shlex.split(line))
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, expected, ""), line


def examples() -> list[str]:
    root = group({name: ("", command.help) for name, command in COMMANDS.items()} | CLICK)
    found = []
    for name in CLICK:
        each = root.get_command(click.Context(root), name)
        found += [sub.epilog for sub in (each.commands.values() if isinstance(each, click.Group) else [each]) if sub]
    return [str(epilog).removeprefix("Example: reversal ") for epilog in found]


@pytest.mark.parametrize("line", examples())
def test_the_example_of_every_help_runs(line: str, commands: Path, folder: Path, server: Server) -> None:
    arguments = shlex.split(line.replace("http://localhost:8000", server.url))
    if arguments[0] == "experiments" and arguments[1] != "assign" and "--url" not in arguments:
        arguments += ["--url", server.url]
    if arguments[0] == "doctor":
        arguments += ["--port", "0", "--state-url", f"sqlite:///{folder}/other.db"]
    ended = reversal(commands, folder, *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout


@pytest.mark.parametrize("name", PASSED_ON)
def test_the_help_of_what_is_passed_on_has_an_example(name: str) -> None:
    call = [sys.executable, "-m", "reversal", name, "--help"]
    ended = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"Example: python -m reversal {name} " in ended.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, commands: Path, folder: Path) -> None:
    if shell == "bash":  # its version is looked up by running it
        words = {"COMP_WORDS": "reversal expe", "COMP_CWORD": "1", "_REVERSAL_COMPLETE": "bash_complete"}
        call = [str(commands / "reversal")]
        ended = subprocess.run(call, cwd=folder, env=ENVIRON | words, capture_output=True, text=True, check=True)
        assert ended.stdout == "plain,experiments\n"
        return
    variables = ENVIRON | {"_REVERSAL_COMPLETE": f"{shell}_source"}
    call = [str(commands / "reversal")]
    ended = subprocess.run(call, cwd=folder, env=variables, capture_output=True, text=True, check=True)
    assert "_REVERSAL_COMPLETE=" in ended.stdout


def test_every_example_of_python_runs(commands: Path, folder: Path, tmp_path: Path) -> None:
    for package in ("pandas", "dateutil", "six", "pytz"):  # the server's environment has none of them
        found = find_spec(package)
        if found is not None and found.origin is not None:
            place = Path(found.origin)
            place = place.parent if place.name == "__init__.py" else place
            (tmp_path / place.name).symlink_to(place)
    assert len(PYTHON) == 3
    program = "\n".join(
        ["import pandas", "frame = pandas.read_csv('candles.csv')", *PYTHON, "print(len(history), answer.signal)"]
    )
    call = [str(commands / "python"), "-c", program]
    ended = subprocess.run(
        call, cwd=folder, env=ENVIRON | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "120 hold\n"), ended.stderr
