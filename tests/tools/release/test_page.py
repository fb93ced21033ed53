"""The page at /dashboard in a release."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.market import ROOT
from tools.release import page
from tools.release.steps import StepFailed


def test_each_library_that_a_build_may_use_is_named_with_its_digest() -> None:
    whole, *libraries = page.locked()
    assert whole["digest"]["sha256"] == hashlib.sha256((ROOT / page.LOCK).read_bytes()).hexdigest()
    digests = {each["uri"]: each["digest"] for each in libraries}
    names = {uri.rpartition("@")[0] for uri in digests}
    assert {"pkg:npm/lightweight-charts", "pkg:npm/uplot", "pkg:npm/fancy-canvas", "pkg:npm/esbuild"} <= names
    assert "pkg:npm/%40esbuild/linux-x64" in names
    assert names.isdisjoint({"pkg:npm/typescript", "pkg:npm/axe-core"})  # only for tests
    for digest in digests.values():
        assert re.fullmatch(r"[0-9a-f]{128}", digest["sha512"])


def test_a_build_that_fails_is_a_failed_step(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"name": "x", "version": "1.0.0"}))
    with pytest.raises(StepFailed, match=r"^the page: npm-cli\.js: "):  # without a lock
        page.build(tmp_path)
    lock = {"name": "x", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "x", "version": "1.0.0"}}}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    with pytest.raises(StepFailed, match=r"^the page: build\.mjs: "):
        page.build(tmp_path)
