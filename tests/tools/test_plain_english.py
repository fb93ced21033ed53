from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.plain_english import LIMITS, check, counted, files

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "line",
    [
        "# Whoever asks again waits.",  # plain-english: an example
        "def test_nobody_is_asked() -> None:",  # plain-english: an example
        'raise ValueError("a worker who has ended")',  # plain-english: an example
        "The version for whom it is meant.",  # plain-english: an example
        "of somebody else",  # plain-english: an example
    ],
)
def test_a_word_without_a_person_is_a_fault(line: str) -> None:
    count = counted(f"plain\n{line}\n", "a.py")
    assert (count.lines, count.words) == (2, 1)
    assert [(fault.file, fault.line) for fault in count.faults] == [("a.py", 2)]


@pytest.mark.parametrize(
    "line",
    [
        "An operator who restarts it.",
        "for users who have none",
        "the developer, who writes JavaScript",
        "x = 'nobody'  # plain-english: the name of a Unix account",
    ],
)
def test_a_named_person_or_a_reason_explains_it_and_it_counts(line: str) -> None:
    count = counted(line, "a.py")
    assert (count.words, count.faults) == (1, [])


@pytest.mark.parametrize("line", ["a whole window", "whose version", "no such wholesale", "plain-english: nothing"])
def test_other_words_do_not_count(line: str) -> None:
    assert counted(line, "a.py").words == 0


def test_shares_are_of_code_and_documents_apart(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a user who asks\n" + "x = 1\n" * 99)
    (tmp_path / "b.md").write_text("a user who asks\n" + "text\n" * 49)
    (tmp_path / "c.json").write_text('"who"')  # plain-english: an example
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "d.py").write_text("who\n")  # plain-english: an example
    shares, faults = check(tmp_path, files(tmp_path))
    assert shares == {"code": 10.0, "documents": 20.0}
    assert faults == []


def test_the_command_names_the_place_and_fails(tmp_path: Path) -> None:
    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tools.plain_english", str(tmp_path)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    (tmp_path / "a.py").write_text("x = 1\n" * 2000)
    assert run().returncode == 0
    (tmp_path / "a.py").write_text("x = 1\n" * 2000 + "# who\n")  # plain-english: an example
    failed = run()
    assert failed.returncode == 1
    assert "a.py:2001" in failed.stdout


def test_this_checkout_is_below_the_limits() -> None:
    shares, _ = check(ROOT, files(ROOT))
    assert all(shares[kind] < limit for kind, limit in LIMITS.items()), shares
