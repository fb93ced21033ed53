"""`make test` runs tests again whose process was killed from outside, and fails if a process has crashed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.__main__ import run

pytestmark = pytest.mark.serial

# Test modules are spread over two processes. One of the two ends itself, once.
_SPREAD = "import pytest\n\n@pytest.mark.parametrize('number', range(3))\ndef test_passes(number): pass\n"
_ENDING = """import os, pathlib

def test_ends_its_process_once():
    been = pathlib.Path("been")
    if not been.exists():
        been.touch()
        os.kill(os.getpid(), {number})
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_only_a_kill_is_followed_by_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    Path("build/tests").mkdir(parents=True)
    Path("pytest.ini").write_text("[pytest]\nmarkers =\n    serial\n    long\n")
    Path("conftest.py").write_text("from tests.conftest import pytest_testnodedown\n")
    for name in ("a", "b", "c"):
        Path(f"test_{name}.py").write_text(_SPREAD)
    Path("test_ending.py").write_text(_ENDING.format(number=int(number)))
    passed, summary = run("parallel", ["-p", "no:cacheprovider", "-p", "xdist"])
    printed = capfd.readouterr().out
    assert f"ended with exit code -{number:d}" in printed
    if number == signal.SIGKILL:
        assert passed
        assert summary.startswith("parallel: 10 passed")
        assert "a test process was killed, so the part runs again" in printed
    else:
        assert not passed
        assert "runs again" not in printed
