"""The container image, built and run for real by buildah and podman, without Docker Hub: its base comes from Debian."""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.version import VERSION
from tests import needs
from tests.market import ROOT
from tests.processes import free_port, get
from tests.waiting import wait_until

PORT = 8000
BASE = "localhost/base:latest"
IMAGE = "localhost/reversal:test"
RELEASED = "localhost/reversal"
# As in the image debian:bookworm-slim, which cannot be pulled where there is only Debian's archive.
_SLIM = ("doc", "info", "locale", "man", "lintian")
_SOURCES = (
    "deb http://deb.debian.org/debian bookworm main",
    "deb http://deb.debian.org/debian bookworm-updates main",
    "deb http://deb.debian.org/debian-security bookworm-security main",
)
# crun refuses the mixed mount of both versions of control groups, which the test does not need.
_WITHOUT_CGROUP_2 = '[ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified\nexec "$@"'


class Image:
    """The image, and the folder in which podman keeps it."""

    def __init__(self, storage: Path) -> None:
        self._places = ("--root", str(storage / "root"), "--runroot", str(storage / "run"))
        self._storage = storage
        self.seconds = 0.0  # that the build took

    def build(self) -> None:
        """Make the base, then build with the steps of the Dockerfile.

        TEST_IMAGE_BASE: a base of a registry to use instead. TEST_IMAGE_ARCHIVE: a file to keep the image in.
        """
        base = os.environ.get("TEST_IMAGE_BASE") or self._make_base()
        began = time.monotonic()
        build = ["buildah", *self._places, "build", "--isolation=chroot", "--format=docker", *_secrets(self._storage)]
        _run("make", f"--directory={ROOT}", "image", f"BUILD={shlex.join(build)}", f"IMAGE={IMAGE}", f"BASE={base}")
        self.seconds = time.monotonic() - began
        if archive := os.environ.get("TEST_IMAGE_ARCHIVE"):
            # By its id: by its name, the archive would have that name, too.
            self._buildah("push", "--quiet", self.inspect()["Id"], f"docker-archive:{archive}:{RELEASED}:{VERSION}")

    def _make_base(self) -> str:
        base = self._storage / "base.tar"
        options = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in _SLIM]
        _run("mmdebstrap", "--quiet", "--variant=apt", *options, "bookworm", str(base), *_SOURCES)
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, str(base), "/")
        self._buildah("commit", "--quiet", container, BASE)
        self._buildah("rm", container)
        base.unlink()
        return BASE

    def inspect(self) -> dict[str, Any]:
        """What the image says of itself."""
        (found,) = json.loads(self.podman("image", "inspect", IMAGE))
        return dict(found)

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """The files of the image."""
        # Not by `podman`, whose mounts end with its namespace.
        path = Path(_run("podman", *self._places, "image", "mount", IMAGE).stdout.strip())
        try:
            yield path
        finally:
            _run("podman", *self._places, "image", "unmount", IMAGE)

    @contextmanager
    def running(self, *options: str, models: Path, **environ: str) -> Iterator[Container]:
        """A container on a read-only root, without capabilities, under a user that the image does not know."""
        name, port = f"reversal-{uuid.uuid4()}", free_port()
        hard = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1], resource.getrlimit(resource.RLIMIT_NPROC)[1])
        limits = [f"--ulimit={each}={hard}:{hard}" for each in ("nofile", "nproc")]
        hardened = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"]
        place = ["--network=host", "--cgroups=disabled", f"--volume={models}:/models:ro", "--user=12345:0"]
        given = {"REVERSAL_HOST": "127.0.0.1", "REVERSAL_PORT": str(port)} | environ
        variables = [f"--env={key}={value}" for key, value in given.items()]
        self.podman("run", "--detach", f"--name={name}", *limits, *hardened, *place, *variables, *options, IMAGE)
        try:
            yield Container(self, name, f"http://127.0.0.1:{port}")
        finally:
            self.podman("rm", "--force", "--volumes", name)

    def podman(self, *arguments: str) -> str:
        """Run podman; returns its output. Fails if it fails."""
        return self.run_podman(*arguments).stdout

    def run_podman(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run podman. `check`: fail if it fails."""
        within = ("unshare", "--mount", "sh", "-c", _WITHOUT_CGROUP_2, "sh")
        command = (*within, "podman", *self._places, "--cgroup-manager=cgroupfs", "--log-level=fatal", *arguments)
        return _run(*command, check=check)

    def _buildah(self, *arguments: str) -> str:
        return _run("buildah", *self._places, *arguments).stdout.strip()


class Container:
    """A container that runs the image."""

    def __init__(self, image: Image, name: str, url: str) -> None:
        self._image = image
        self._name = name
        self.url = url

    @property
    def log(self) -> str:
        """The log so far."""
        done = self._image.run_podman("logs", self._name)
        return done.stdout + done.stderr

    @property
    def init(self) -> int:
        """The process id, on this machine, of the container's process 1."""
        return int(self._state("Pid"))

    @property
    def exit_code(self) -> int:
        """The exit code of a container that has ended."""
        return int(self._state("ExitCode"))

    def wait_until_ready(self) -> None:
        """Wait until it answers predictions."""

        def ready() -> bool:
            assert self._state("Running") == "true", self.log
            try:
                return get(f"{self.url}/readyz")[0] == 200
            except OSError:
                return False

        wait_until(ready)

    def wait_until_ended(self) -> None:
        """Wait until its process 1 has ended."""
        wait_until(lambda: self._state("Running") == "false")

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python beside the server, as `podman exec` does."""
        return self._image.run_podman("exec", self._name, "python3", *arguments, check=False)

    def health(self) -> int:
        """The exit code of the image's health check."""
        return self._image.run_podman("healthcheck", "run", self._name, check=False).returncode

    def signal(self, name: str) -> None:
        """Send process 1 a signal."""
        self._image.podman("kill", f"--signal={name}", self._name)

    def _state(self, field: str) -> str:
        return self._image.podman("inspect", "--format", f"{{{{.State.{field}}}}}", self._name).strip()


@contextmanager
def built() -> Iterator[Image]:
    """Build the image; it is deleted at the end. Skips the test where this machine cannot."""
    needs.root()
    made = () if "TEST_IMAGE_BASE" in os.environ else ("mmdebstrap",)
    for program in ("buildah", "podman", "crun", *made):
        needs.program(program, program)
    # Not in pytest's folder: overlays of it would be left there if the test were killed.
    storage = Path(tempfile.mkdtemp(prefix="reversal-image-"))
    try:
        image = Image(storage)
        image.build()
        yield image
    finally:
        shutil.rmtree(storage)


def _secrets(folder: Path) -> Sequence[str]:
    """The settings of this machine's pip, so that the build takes packages from where the tests' packages come from."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    found = dict(line.partition("=")[::2] for line in listed.stdout.splitlines())
    settings = {name.rpartition(".")[2]: value.strip("'") for name, value in found.items()}
    lines = [f"{name} = {settings[name]}" for name in ("index-url", "trusted-host") if name in settings]
    options = []
    if certificate := settings.get("cert") or os.environ.get("SSL_CERT_FILE"):
        lines.append("cert = /etc/ca.pem")
        options.append(f"--secret=id=ca.pem,src={certificate}")
    (folder / "pip.conf").write_text("\n".join(["[global]", *lines, ""]))
    return [*options, f"--secret=id=pip.conf,src={folder / 'pip.conf'}"]


def _run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    # A driver of storage that is named here is not that of podman; and these are not the flags of our own make.
    environ = {name: value for name, value in os.environ.items() if name not in ("STORAGE_DRIVER", "MAKEFLAGS")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0 or not check, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done
