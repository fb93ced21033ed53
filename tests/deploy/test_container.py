"""The container image: what it holds, and that it serves on a read-only root, as any user, as process 1."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.version import VERSION
from server.dashboard import built
from tests import needs
from tests.deploy import image as images
from tests.deploy.image import Container, Image
from tests.market import ROOT
from tests.postgres import running_postgres
from tests.processes import children, get, post
from tests.waiting import wait_until

DOCKERFILE = (ROOT / "Dockerfile").read_text()
FOLDER = ROOT / "deploy" / "container"
MODELS = ROOT / "models" / "onnx"
QUESTION = (ROOT / "docs" / "examples" / "predict.json").read_bytes()
# The limit of the unpacked image.
MOST_BYTES = 220 << 20
# Leaves a grandchild behind, which ends when process 1 has become its parent. It says so through the process that
# `podman exec` waits for, because what it prints after that one's end can be lost.
ORPHAN = """
import os
said, say = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        while os.getppid() != 1:
            os.sched_yield()
        os.write(say, str(os.getppid()).encode())
    os._exit(0)
os.wait()
print(os.read(said, 20).decode())
"""


def ignored() -> set[str]:
    """The places that .dockerignore lets into a build."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    assert lines[-1] == "**/__pycache__"
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    copied = {
        each.replace("${LOCK}", lock)
        for lock in ("serve", "otel")
        for each in re.findall(r"^COPY ([\w/.${}]+)", DOCKERFILE, re.MULTILINE)
    }
    assert copied == ignored()
    assert [each for each in copied if not (ROOT / each).exists()] == []


def test_a_build_without_the_page_fails_and_says_what_to_do(tmp_path: Path) -> None:
    (command,) = re.findall(r"^RUN (test -f server/dashboard/.*\n.*)$", DOCKERFILE, re.MULTILINE)
    ended = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "make dashboard" in ended.stderr
    page = tmp_path / built.FOLDER.relative_to(ROOT) / built.PAGE
    page.parent.mkdir(parents=True)
    page.touch()
    assert subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=False).returncode == 0


def test_it_holds_the_wheels_folders_without_those_that_need_tensorflow() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["only-include"]
    others = {"deploy/container/packages.txt", "requirements/serve.txt", "requirements/otel.txt", "LICENSE"}
    assert ignored() - others == set(wheel) - {"convert", "lab", "training"}


def test_the_base_is_the_one_of_the_file_with_the_digest() -> None:
    (base,) = (FOLDER / "base.txt").read_text().splitlines()
    tag, _, digest = base.partition("@")
    assert re.fullmatch(r"(sha256:[0-9a-f]{64})?", digest)
    assert f"\nARG BASE={tag}\n" in DOCKERFILE


def test_the_release_writes_the_digest_of_the_base(tmp_path: Path) -> None:
    needs.program("skopeo", "skopeo")
    config = tmp_path / "layout"
    archive = tmp_path / "empty.tar"
    tarfile.open(archive, "w").close()
    copy = ["skopeo", "copy", "--quiet", f"tarball:{archive}", f"oci:{config}:tag"]
    subprocess.run(copy, check=True)
    (tmp_path / "base.txt").write_text("docker.io/library/debian:bookworm-slim@sha256:" + "0" * 64 + "\n")
    subprocess.run([FOLDER / "pin-base", tmp_path / "base.txt", f"oci:{config}:tag"], check=True)
    manifest = re.findall(r"sha256:([0-9a-f]{64})", (config / "index.json").read_text())[0]
    assert (tmp_path / "base.txt").read_text() == f"docker.io/library/debian:bookworm-slim@sha256:{manifest}\n"
    assert subprocess.run(
        [FOLDER / "pin-base", tmp_path / "base.txt", "oci:absent:tag"], capture_output=True, check=False
    ).returncode
    assert manifest in (tmp_path / "base.txt").read_text()


def test_pythons_version_is_the_one_of_the_project() -> None:
    (version,) = re.findall(r"^python([\d.]+)-minimal$", (FOLDER / "packages.txt").read_text(), re.MULTILINE)
    assert set(re.findall(r"python(\d\.\d+)", DOCKERFILE)) == {version}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["mypy"]["python_version"] == version


pytest_long = [pytest.mark.long, pytest.mark.serial, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with images.built() as found:
        yield found


class TestImage:
    pytestmark = pytest_long

    def test_it_is_small(self, image: Image) -> None:
        size = image.inspect()["Size"]
        print(f"{size / (1 << 20):.0f} MiB unpacked, built in {image.seconds:.0f} s")  # noqa: T201 - shown with -s
        assert size <= MOST_BYTES

    def test_it_holds_nothing_that_a_server_does_not_need(self, image: Image) -> None:
        with image.mounted() as root:
            paths = [path for path in root.rglob("*") if not path.is_symlink()]
            files = [path.relative_to(root).as_posix() for path in paths if path.is_file()]
            names = {Path(file).name for file in files}
            assert names.isdisjoint(
                {"sh", "bash", "dash", "apt-get", "dpkg", "gcc", "ld", "pip", "pip3", "openssl", "curl"}
            )
            folders = {part for file in files for part in Path(file).parts[:-1]}
            assert folders.isdisjoint({"pip", "setuptools", "pkg_resources", "flask", "tests", "convert", "training"})
            assert not [file for file in files if re.search(r"\.(c|h|a|pyi|pyx|deb)$", file)]
            assert [file for file in files if file.endswith("core/native/_native.abi3.so")]
            # No program that gives its caller other rights, and no folder open to all users but those for that.
            modes = {path.relative_to(root).as_posix(): path.stat().st_mode for path in paths}
            assert not [
                path for path, mode in modes.items() if (root / path).is_file() and mode & (stat.S_ISUID | stat.S_ISGID)
            ]
            assert {path for path, mode in modes.items() if mode & stat.S_IWOTH} == {"tmp", "var/tmp"}
            state = (root / "var/lib/reversal").stat()
            assert (state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)) == (10001, 0, 0o770)
            # Scanners find the packages of Debian and those of the lock.
            wanted = {line for line in (FOLDER / "packages.txt").read_text().splitlines() if not line.startswith("#")}
            assert {path.name for path in (root / "var/lib/dpkg/status.d").iterdir()} == wanted
            locked = re.findall(r"^([\w-]+)==", (ROOT / "requirements" / "serve.txt").read_text(), re.MULTILINE)
            found = {path.name.partition("-")[0].replace("_", "-").lower() for path in root.rglob("*.dist-info")}
            assert found == set(locked)

    def test_it_has_the_text_of_each_licence(self, image: Image) -> None:
        with image.mounted() as root:
            without = {
                path.name.partition("-")[0]
                for path in root.rglob("*.dist-info")
                if not [each for each in path.rglob("*") if re.search("licen[cs]e|copying", each.name.lower())]
            }
            assert without == {"flatbuffers", "onnxruntime"}
            (folder,) = root.rglob("dist-packages/onnxruntime")
            assert {"LICENSE", "ThirdPartyNotices.txt"} <= {path.name for path in folder.iterdir()}
            assert (root / "usr/share/common-licenses/Apache-2.0").exists()  # that of flatbuffers

    def test_it_has_the_page(self, image: Image) -> None:
        with image.mounted() as root:
            (folder,) = root.rglob("dist-packages/server/dashboard/built")
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
                path.name: path.read_bytes() for path in built.FOLDER.iterdir()
            }

    def test_every_module_has_its_bytecode(self, image: Image) -> None:
        with image.mounted() as root:
            modules = [path for path in root.rglob("*.py") if "lib/python3.11" in path.as_posix()]
            assert len(modules) > 1000
            missing = [
                path for path in modules if not (path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc").exists()
            ]
            assert missing == []

    def test_it_says_what_it_is(self, image: Image) -> None:
        described = image.inspect()
        labels = {name.rpartition(".")[2]: value for name, value in described["Labels"].items()}
        assert labels["title"] == "reversal"
        assert labels["licenses"] == "MIT"
        assert labels["version"] == VERSION
        assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels["revision"])
        assert labels["name"] == os.environ.get("TEST_IMAGE_BASE", images.BASE)
        config = described["Config"]
        assert config["User"] == "10001:0"
        assert config["Entrypoint"] == ["python3", "-m", "server"]
        assert described["Healthcheck"]["Test"] == ["CMD", "python3", "-m", "server.health_check"]
        assert list(config["Volumes"]) == ["/var/lib/reversal"]


def predicts(container: Container) -> None:
    status, answer = post(f"{container.url}/reversal/predict", QUESTION)
    assert status == 200, answer
    assert answer["data"]["signal"] in {"hold", "long", "short"}


class TestContainer:
    pytestmark = pytest_long

    def test_it_serves_reloads_and_stops(self, image: Image) -> None:
        with image.running(models=MODELS, REVERSAL_WORKERS="2") as container:
            assert container.health() != 0  # not ready yet
            container.wait_until_ready()
            predicts(container)
            assert container.health() == 0
            status = Path(f"/proc/{container.init}/status").read_text()
            assert re.search(r"^Uid:\t12345\t12345\t", status, re.MULTILINE)
            assert set(re.findall(r"^Cap\w+:\t(\w+)$", status, re.MULTILINE)) == {"0" * 16}
            write = container.python("-c", "open('/usr/x', 'w')")
            assert "Read-only file system" in write.stderr
            wait_for(container, "worker_ready", 2)
            container.signal("HUP")
            wait_for(container, "worker_ready", 4)
            predicts(container)
            container.signal("TERM")
            container.wait_until_ended()
            assert container.exit_code == 0
            log = container.log
            assert " server_stopped" in log
            assert " ERROR " not in log

    def test_process_1_collects_a_grandchild_that_is_left_behind(self, image: Image) -> None:
        with image.running(models=MODELS) as container:
            container.wait_until_ready()
            init = container.init
            before = children(init)
            left = container.python("-c", ORPHAN)
            assert left.stdout == "1\n", left.stderr  # it has been process 1's child
            wait_until(lambda: children(init) == before)  # a zombie would stay listed

    def test_its_state_survives_in_the_volume(self, image: Image, tmp_path: Path) -> None:
        tmp_path.chmod(0o770)  # of root's group, as on OpenShift
        volume = f"--volume={tmp_path}:/var/lib/reversal"
        with image.running(volume, models=MODELS) as container:
            container.wait_until_ready()
            assert post(f"{container.url}/reversal/models/v3.0/switch")[0] == 200
        with image.running(volume, models=MODELS) as container:
            container.wait_until_ready()
            assert get(f"{container.url}/health")[1]["model_version"] == "v3.0"

    def test_a_small_shared_memory_is_replaced_by_the_temporary_folder(self, image: Image) -> None:
        with image.running("--shm-size=16m", "--tmpfs=/tmp", models=MODELS) as container:
            container.wait_until_ready()
            predicts(container)
            listed = container.python("-c", "import os; print(os.listdir('/tmp'), os.listdir('/dev/shm'))")
            assert re.fullmatch(r"\['reversal-server-\w+'\] \[\]\n", listed.stdout)

    def test_its_store_is_postgresql_with_the_password_in_a_file(self, image: Image, tmp_path: Path) -> None:
        (tmp_path / "service").write_text("[reversal]\npassword=of-the-file\n")
        tmp_path.chmod(0o755)
        with running_postgres() as server:
            server.run("CREATE ROLE reversal LOGIN PASSWORD 'of-the-file'")
            server.run("CREATE DATABASE reversal OWNER reversal")
            # Without it, the tests' server asks for no password.
            ((access,),) = server.run("SHOW hba_file")
            lines = "ARRAY['host all reversal all scram-sha-256', 'host all all all trust']"
            server.run(f"COPY (SELECT unnest({lines})) TO '{access}'")
            server.run("SELECT pg_reload_conf()")
            url = (
                f"{server.url.replace('//postgres@', '//reversal@').removesuffix('postgres')}reversal?service=reversal"
            )
            options = [f"--volume={tmp_path}:/run/secrets:ro", "--env=PGSERVICEFILE=/run/secrets/service"]
            with image.running(*options, models=MODELS, REVERSAL_STATE_URL=url) as container:
                container.wait_until_ready()
                assert post(f"{container.url}/reversal/models/v3.0/switch")[0] == 200

    def test_without_tokens_or_bundles_it_says_so(self, image: Image, tmp_path: Path) -> None:
        with image.running(models=MODELS, REVERSAL_HOST="0.0.0.0") as container:  # noqa: S104 - it refuses
            container.wait_until_ended()
            assert container.exit_code == 2
            assert "no token is set" in container.log
        tmp_path.chmod(0o755)
        with image.running(models=tmp_path) as container:
            wait_for(container, "versions_unavailable", 1)
            assert container.health() == 1
            assert get(f"{container.url}/readyz")[0] == 503


def wait_for(container: Container, event: str, count: int) -> None:
    wait_until(lambda: container.log.count(f" {event} ") >= count)
