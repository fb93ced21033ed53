"""A test whose needs are missing is skipped by name, and fails in CI."""

from __future__ import annotations

import pytest

from tests import needs


def test_what_is_missing_skips_the_test_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="absent is not installed: install Debian's package absent-package"):
        needs.program("absent", "absent-package")


def test_what_is_missing_fails_the_test_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="absent is not installed"):
        needs.program("absent", "absent-package")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(pytest.fail.Exception, match="only root"):
        needs.root()


def test_a_program_is_found() -> None:
    assert needs.program("sh", "dash").endswith("/sh")
