from __future__ import annotations

import pytest

from tools.release import licences
from tools.release.steps import StepFailed


def test_all_packages_of_a_server_have_allowed_licences_that_the_page_lists() -> None:
    assert licences.check().endswith("all allowed and in docs/licences.md")


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR GPL-2.0-only)", True),
        ("(MIT AND GPL-2.0-only) OR BSD-3-Clause", True),
        ("(MIT) AND (GPL-2.0-only)", False),
        ("((MIT))", True),
        ("", False),
        ("UNKNOWN", False),
    ],
)
def test_an_expression_is_allowed_if_it_can_be_met(expression: str, allowed: bool) -> None:  # noqa: FBT001 - a case of the test
    assert licences.allowed(expression) is allowed


def test_a_licence_that_is_not_in_the_list_fails_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "ALLOWED", licences.ALLOWED - {"LGPL-3.0-only"})
    with pytest.raises(StepFailed, match=r"psycopg: LGPL-3.0-only, psycopg-binary: LGPL-3.0-only"):
        licences.check()


def test_a_page_with_another_table_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "found", lambda _: [("aiohttp", "MIT", "server")])
    with pytest.raises(StepFailed, match="not what is installed"):
        licences.check()


def test_a_package_that_is_not_installed_fails() -> None:
    with pytest.raises(StepFailed, match="no-such-package is not installed"):
        licences.expression("no-such-package")
