"""Statements of provenance, and their verification: a release with one fault at a time."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.version import VERSION
from tests import needs
from tests.market import ROOT
from tools.release import image, lock, materials, provenance, verify
from tools.release.steps import StepFailed

LOCK = """aiohttp==3.14.5 \\
    --hash=sha256:{} \\
    --hash=sha256:{}
    # via reversal
tzdata==2026.6 ; sys_platform == 'win32' \\
    --hash=sha256:{}
""".format("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a wheel, its bill of materials, and the statement of both."""
    monkeypatch.setattr(provenance, "output", lambda *_: "0" * 40)
    wheel = tmp_path / f"reversal-{VERSION}-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    materials.sbom_of(wheel).write_text("{}")
    made = provenance.statement(provenance.Made("wheel", [wheel], ("build", "serve"), []), datetime.now(UTC))
    (tmp_path / f"reversal-{VERSION}-wheel.intoto.json").write_text(json.dumps(made))
    return tmp_path


@pytest.fixture
def signers(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release is signed; the file that says by which key."""
    folder = tmp_path_factory.mktemp("keys")
    allowed = folder / "allowed-signers"
    allowed.write_text(f"release {make_key(folder / 'key')}")
    for path in release.glob("*.intoto.json"):
        sign(folder / "key", path)
    return allowed


def make_key(path: Path) -> str:
    program = needs.program("ssh-keygen", "openssh-client")
    subprocess.run([program, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return path.with_suffix(".pub").read_text()


def sign(key: Path, path: Path, namespace: str = verify.NAMESPACE) -> None:
    path.with_name(f"{path.name}.sig").unlink(missing_ok=True)
    command: list[str | Path] = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", namespace, path]
    subprocess.run(command, check=True, capture_output=True)


def test_a_release_is_verified_without_and_with_its_key(release: Path, signers: Path) -> None:
    first, second, third = verify.verify(release, None)
    assert first.endswith(f"wheel.intoto.json: signature not checked, commit {'0' * 40}")
    assert second == f"reversal-{VERSION}-py3-none-any.whl: as in reversal-{VERSION}-wheel.intoto.json"
    assert third.startswith(f"reversal-{VERSION}-py3-none-any.whl.cdx.json: as in")
    assert verify.verify(release, signers)[0].endswith(f": signed, commit {'0' * 40}")


def add(file: str, content: bytes = b"!") -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        with (folder / file.format(VERSION)).open("ab") as opened:
            opened.write(content)

    return spoil


def remove(file: str) -> Callable[[Path], object]:
    return lambda folder: (folder / file.format(VERSION)).unlink()


WHEEL = "reversal-{}-py3-none-any.whl"
STATEMENT = "reversal-{}-wheel.intoto.json"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (add(WHEEL), "its SHA-256 is not the one"),
        (add(f"{WHEEL}.cdx.json"), "its SHA-256 is not the one"),
        (remove(WHEEL), "not there"),
        (add("more.whl"), "more.whl: no statement names it"),
        (add(STATEMENT), "no in-toto statement"),
        (remove(STATEMENT), "no statement"),
    ],
)
def test_a_release_with_a_fault_is_not_verified(release: Path, spoil: Callable[[Path], object], reason: str) -> None:
    spoil(release)
    with pytest.raises(verify.Unverified, match=reason):
        verify.verify(release, None)


def test_a_statement_that_leads_out_of_the_folder_is_refused(release: Path) -> None:
    (path,) = release.glob("*.intoto.json")
    text = path.read_text()
    path.write_text(text.replace(f'"reversal-{VERSION}-py3-none-any.whl"', f'"../{release.name}/x.whl"'))
    (release / "x.whl").write_bytes(b"a wheel")
    with pytest.raises(verify.Unverified, match="not there"):
        verify.verify(release, None)


def test_a_changed_statement_has_no_valid_signature(release: Path, signers: Path) -> None:
    add(WHEEL)(release)
    (path,) = release.glob("*.intoto.json")
    new = hashlib.sha256(b"a wheel!").hexdigest()
    path.write_text(path.read_text().replace(hashlib.sha256(b"a wheel").hexdigest(), new))
    assert verify.verify(release, None)  # the digests alone agree: only the signature tells
    with pytest.raises(verify.Unverified, match=r"\.sig: "):
        verify.verify(release, signers)


def test_another_key_another_purpose_or_no_signature_is_refused(release: Path, signers: Path) -> None:
    (path,) = release.glob("*.intoto.json")
    make_key(signers.with_name("other"))
    sign(signers.with_name("other"), path)
    with pytest.raises(verify.Unverified, match=r"\.sig: "):
        verify.verify(release, signers)
    sign(signers.with_name("key"), path, "file")
    with pytest.raises(verify.Unverified, match=r"\.sig: "):
        verify.verify(release, signers)
    path.with_name(f"{path.name}.sig").unlink()
    with pytest.raises(verify.Unverified, match="there is no signature"):
        verify.verify(release, signers)


def test_the_command_needs_only_the_standard_library(release: Path, signers: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, sys.argv.pop(1)); import runpy;"]
    command[-1] += "runpy.run_module('tools.release.verify', run_name='__main__', alter_sys=True)"
    given = [str(ROOT), str(release), "--signers", str(signers)]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    add(WHEEL)(release)
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("NOT VERIFIED: reversal-")


def test_the_commands_of_the_page_sign_and_verify(release: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    needs.program("ssh-keygen", "openssh-client")
    page = (ROOT / "docs" / "release.md").read_text().partition("## Sign and verify")[2]
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    key, sign, verifying, by_hand, load = blocks
    assert "podman load" in load  # tests/deploy/test_container.py builds an image
    folder = tmp_path_factory.mktemp("commands")
    (folder / "build").mkdir()
    (folder / "build" / "release").symlink_to(release)
    make = f"make --no-print-directory -C {ROOT} PYTHON={sys.executable}"
    verifying = verifying.replace("make", make).replace("=build", f"={folder}/build")
    verifying = verifying.replace("SIGNERS=", f"SIGNERS={folder}/")
    text = "\n".join([key.replace("-t ed25519", "-N '' -t ed25519"), sign, verifying, by_hand])
    text = text.replace("0.1.0", VERSION)
    done = subprocess.run(["bash", "-e", "-c", text], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S607 - bash of the path
    assert done.returncode == 0, done.stdout + done.stderr
    assert f": signed, commit {'0' * 40}" in done.stdout
    assert 'Good "reversal-release" signature for release' in done.stdout


def test_the_statement_names_the_source_the_builder_and_all_locked_packages(release: Path) -> None:
    (path,) = release.glob("*.intoto.json")
    statement = json.loads(path.read_text())
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    definition, details = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    assert details["builder"]["id"] == "urn:reversal:builder:make-release-check"
    assert details["metadata"]["startedOn"] <= details["metadata"]["finishedOn"]
    source, *others = definition["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": "0" * 40}
    found = {each["uri"]: each for each in others}
    for name in ("build", "serve"):
        file = ROOT / "requirements" / f"{name}.txt"
        assert found[f"requirements/{name}.txt"]["digest"] == {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for package in lock.read(file):
            assert found[package.purl]["annotations"]["sha256"] == list(package.hashes)


def test_a_lock_is_read_with_all_hashes(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text(LOCK)
    found = lock.read(tmp_path / "lock.txt")
    assert [tuple(each) for each in found] == [
        ("aiohttp", "3.14.5", ("a" * 64, "b" * 64)),
        ("tzdata", "2026.6", ("c" * 64,)),
    ]
    assert found[1].purl == "pkg:pypi/tzdata@2026.6"


def test_a_bill_of_materials_must_be_that_of_the_lock() -> None:
    package = lock.Locked("aiohttp", "3.14.5", ("a" * 64,))
    file = {"hashes": [{"alg": "SHA-256", "content": "a" * 64}]}
    component = {"name": "aiohttp", "version": "3.14.5", "externalReferences": [file]}
    about = {"component": {"name": "reversal", "version": VERSION}}
    materials.check({"metadata": about, "components": [component]}, [package])
    wrong: list[dict[str, Any]] = [
        {"metadata": about, "components": []},
        {"metadata": about, "components": [component | {"version": "3.14.4"}]},
        {"metadata": about, "components": [component | {"externalReferences": []}]},
        {"metadata": about, "components": [component, component | {"name": "more"}]},
        {"metadata": {"component": {"name": "reversal", "version": "0"}}, "components": [component]},
    ]
    for bill in wrong:
        with pytest.raises(StepFailed, match="bill of materials"):
            materials.check(bill, [package])


def test_an_image_is_read_with_its_id_and_debians_packages(tmp_path: Path) -> None:
    control = b"Package: libc6\nVersion: 2.36-9\nArchitecture: amd64\nDescription: library\n more\n"
    layer = packed({"var/lib/dpkg/status.d/libc6": control, "usr/bin/python3": b"x"})
    listed = json.dumps([{"Config": f"{'d' * 64}.json", "Layers": ["1.tar", "2.tar"]}]).encode()
    path = tmp_path / "image.tar"
    path.write_bytes(packed({"manifest.json": listed, "1.tar": layer, "2.tar": packed({"usr/x": b""})}))
    found = image.contents(path)
    assert found.digest == f"sha256:{'d' * 64}"
    (component,) = image.with_debian({"components": []}, found)["components"]
    assert component["purl"] == "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12"


def packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()
