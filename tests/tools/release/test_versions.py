from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from core.version import VERSION
from tests.market import ROOT
from tools.release.steps import StepFailed
from tools.release.versions import check_changelog, check_version, sections

HEAD = "# Changelog\n\n## Unreleased\n"
CHANGED = "\n### Changed\n\n- A word.\n  Its second line.\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project of version 1.2.3 in a repository."""
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "version.py").write_text('"""The version."""\n\nVERSION = "1.2.3"\n')
    overlay = tmp_path / "deploy" / "kubernetes" / "single"
    overlay.mkdir(parents=True)
    (overlay / "kustomization.yaml").write_text(
        "images:\n  - name: reversal\n    newName: registry.example/reversal\n    newTag: 1.2.3\n"
        "  - name: reversal-bundles\n    newTag: of-its-own\n"
    )
    client = tmp_path / "clients" / "node"
    client.mkdir(parents=True)
    (client / "package.json").write_text(json.dumps({"version": "1.2.3"}))
    (client / "package-lock.json").write_text(json.dumps({"version": "1.2.3", "packages": {"": {"version": "1.2.3"}}}))
    (tmp_path / "CHANGELOG.md").write_text(HEAD + CHANGED)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=all")
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    names = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *names, *arguments], cwd=folder, check=True)  # noqa: S607 - git of the path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_version_that_all_places_have_passes(tree: Path) -> None:
    assert check_version(tree) == "1.2.3, as in 4 other places; there is no tag v1.2.3"


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "01.2.3", "1.2.3-rc1", "1.2.3.4", ""])
def test_what_is_no_version_fails(tree: Path, version: str) -> None:
    edit(tree / "core" / "version.py", "1.2.3", version)
    with pytest.raises(StepFailed, match="is no version"):
        check_version(tree)


@pytest.mark.parametrize(
    "place",
    ["deploy/kubernetes/single/kustomization.yaml", "clients/node/package.json", "clients/node/package-lock.json"],
)
def test_a_place_with_another_version_fails(tree: Path, place: str) -> None:
    edit(tree / place, "1.2.3", "1.2.2")
    with pytest.raises(StepFailed, match=f"^core/version.py has 1.2.3, but {place} has 1.2.2"):
        check_version(tree)


def test_a_version_with_a_tag_fails(tree: Path) -> None:
    git(tree, "tag", "v1.2.3")
    with pytest.raises(StepFailed, match=r"the tag v1.2.3 exists"):
        check_version(tree)


def test_unreleased_entries_or_the_versions_section_pass(tree: Path) -> None:
    assert check_changelog(tree) == "1.2.3 is not released yet: Unreleased has 1 entries"
    (tree / "CHANGELOG.md").write_text(f"{HEAD}\n## 1.2.3 - 2026-12-01\n{CHANGED}\n## 1.2.0 - 2026-11-01\n{CHANGED}")
    assert check_changelog(tree) == "1.2.3 has 1 entries"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD, "Unreleased is empty"),
        (HEAD + CHANGED + "\n## 1.2.3 - 2026-12-01\n" + CHANGED, "Unreleased has entries above"),
        (HEAD + "\n## 1.2.3 - 2026-12-01\n", "1.2.3 is empty"),
        (HEAD + "\n## 1.3.0 - 2026-12-02\n" + CHANGED + "\n## 1.2.3 - 2026-12-01\n" + CHANGED, "not the section below"),
        (HEAD + "\n## 1.2.3 - 2026-12-01\n" + CHANGED + "\n## 1.2.10 - 2026-11-01\n" + CHANGED, "not in order"),
        (HEAD + "\n## 1.2.3 - 2026-13-01\n" + CHANGED, "2026-13-01 is no day"),
        (HEAD + "\n## [1.2.3] - 2026-12-01\n" + CHANGED, "line 5"),
        (HEAD + "\n### Changes\n\n- A word.\n", "line 5.*expected one of Added"),
        (HEAD + CHANGED + CHANGED, "Changed is there twice"),
        (HEAD + "\n- A word.\n", "line 5: an entry without a heading"),
        ("# Changelog\n\n## 1.2.3 - 2026-12-01\n" + CHANGED, "the first section is not ## Unreleased"),
    ],
)
def test_a_malformed_changelog_fails_with_its_place(tree: Path, text: str, reason: str) -> None:
    (tree / "CHANGELOG.md").write_text(text)
    with pytest.raises(StepFailed, match=rf"^CHANGELOG\.md.*{reason}"):
        check_changelog(tree)


def test_the_projects_own_changelog_and_version_pass() -> None:
    (first, *_) = sections((ROOT / "CHANGELOG.md").read_text())
    assert first.version == "Unreleased"
    assert check_changelog().startswith(VERSION)
