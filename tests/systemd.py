"""A real systemd for tests: process 1 of namespaces of its own, on a throw-away copy of this machine's files."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tests import needs
from tests.market import ROOT
from tests.processes import children
from tests.waiting import wait_until

UNITS = ROOT / "deploy" / "systemd"
_SYSTEMD = Path("/lib/systemd/systemd")
_NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup")
# Where the server is in the machine. ProtectHome= hides what is below /root and /home.
_SOURCE, _PACKAGES, _PYTHON = "/opt/source", "/opt/packages", "/opt/python"
_BASE = Path(sys.base_prefix)

# What comes before systemd: a root whose changes stay in memory, and the file systems that a container has. /sys and
# /proc/sys are read-only, so that systemd leaves the devices and the kernel of this machine alone.
_BOOT = f"""
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
cd root
mkdir -p {_SOURCE} {_PACKAGES} {_PYTHON} mnt
mkdir -p .{_SOURCE} .{_PACKAGES} .{_PYTHON}
mount --bind {shlex.quote(str(ROOT))} .{_SOURCE}
mount --bind {shlex.quote(sysconfig.get_path("purelib"))} .{_PACKAGES}
mount --bind {shlex.quote(str(_BASE))} .{_PYTHON}
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for each in run tmp dev; do mount -t tmpfs tmpfs $each; done
chmod 1777 tmp
mkdir -m 1777 dev/shm
mkdir dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for each in null zero full random urandom tty; do touch dev/$each; mount --bind /dev/$each dev/$each; done
: > etc/fstab
rm -f etc/systemd/system/*.wants/* etc/sysusers.d/reversal.conf
printf '[Unit]\\n' > etc/systemd/system/reversal-test.target
echo {_PYTHON}/lib > etc/ld.so.conf.d/reversal-test.conf
pivot_root . mnt
cd /
umount -l mnt
mount --make-rshared /  # systemd makes credentials in a namespace of its own, from which they must get here
ldconfig
exec env -i container=reversal-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    {_SYSTEMD} --system --unit=reversal-test.target --log-target=console --show-status=0
"""


class Machine:
    """A running systemd. It shares the network with this machine. `pid`: its process 1, as seen from here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def path(self, path: str) -> Path:
        """A file of the machine, as a path that works here."""
        return Path(f"/proc/{self.pid}/root{path}")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the machine."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in the machine; returns what it wrote."""
        entered = ("nsenter", f"--target={self.pid}", "--root", "--wd=/", *_NAMESPACES, *command)
        done = subprocess.run(entered, capture_output=True, text=True, timeout=120, check=False)
        output = done.stdout + done.stderr
        assert done.returncode == 0 or not check, f"{shlex.join(command)}: {output}"
        return output.strip()

    def systemctl(self, *arguments: str, check: bool = True) -> str:
        """Run systemctl. Without `check` it may fail."""
        return self.run("systemctl", "--no-pager", *arguments, check=check)

    def value(self, name: str, unit: str = "reversal.service") -> str:
        """A property of a unit."""
        return self.systemctl("show", "--value", f"--property={name}", unit)

    def log(self, unit: str = "reversal.service") -> str:
        """What a unit has logged."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")

    def main_process(self) -> int:
        """The process id of the server's keeper, as seen from here; 0 if there is none."""
        inner = int(self.value("MainPID"))
        if not inner:
            return 0
        return next(pid for pid in _below(self.pid) if _inner(pid) == inner)


@contextmanager
def booted() -> Iterator[Machine]:
    """Start systemd. Skips the test, or fails it in CI, if this machine cannot."""
    needs.root()
    if not _SYSTEMD.exists():
        needs.missing("systemd is not installed: install Debian's package systemd")
    group = _new_group()
    with tempfile.TemporaryDirectory(prefix="reversal-systemd-") as folder, tempfile.TemporaryFile() as console:
        into = 'echo $$ > "$1/cgroup.procs"; shift; exec unshare "$@"'
        boot = ("--propagation", "private", "--fork", "--kill-child", "sh", "-e", "-c", _BOOT, "sh", folder)
        command = ("sh", "-e", "-c", into, "sh", str(group), *_NAMESPACES, *boot)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            yield _machine(process, console)
        finally:
            process.kill()
            process.wait()
            wait_until(lambda: _removed(group))


def install(machine: Machine) -> None:
    """Run the first commands of docs/systemd.md. In place of those with pip, /opt/reversal uses this checkout."""
    site = f"/opt/reversal/lib/python{sysconfig.get_python_version()}/site-packages"
    machine.write(f"{site}/reversal.pth", f"{_SOURCE}\n{_PACKAGES}\n")
    machine.write("/opt/reversal/pyvenv.cfg", f"home = {_PYTHON}/bin\n")
    machine.path("/opt/reversal/bin").mkdir()
    machine.path("/opt/reversal/bin/python3").symlink_to(f"{_PYTHON}/bin/python{sysconfig.get_python_version()}")
    machine.write(
        "/opt/reversal/bin/reversal",
        "#!/opt/reversal/bin/python3 -B\nfrom reversal.__main__ import console\nconsole()\n",
        0o755,
    )
    run_documented(machine, "Install")


def run_documented(machine: Machine, section: str) -> None:
    """Run the first commands of a section of docs/systemd.md, except those with pip."""
    text = (ROOT / "docs" / "systemd.md").read_text().partition(f"\n## {section}\n")[2]
    lines = text.partition("```sh\n")[2].partition("```")[0].splitlines()
    commands = [line for line in lines if "/opt/reversal-" not in line]
    assert commands, section
    machine.run("sh", "-e", "-c", "\n".join([f"cd {_SOURCE}", *commands]))


def _new_group() -> Path:
    """A control group of version 2, in which systemd makes further ones."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    folders = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    if not folders:
        needs.missing("no control groups of version 2 are mounted")
    group = folders[0] / f"reversal-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        needs.missing(f"no control group can be made: {error}")
    return group


def _machine(process: subprocess.Popen[bytes], console: IO[bytes]) -> Machine:
    """The machine, once systemd answers. Skips the test if it ends before that."""

    def is_up() -> bool:
        if process.poll() is not None:
            console.seek(0)
            needs.missing(f"systemd cannot be started here: {console.read().decode()[-500:]}")
        with suppress(OSError, IndexError):
            own = Path(f"/proc/{children(process.pid)[0]}")
            return (own / "comm").read_text() == "systemd\n" and (own / "root/run/systemd/private").exists()
        return False

    wait_until(is_up)
    machine = Machine(children(process.pid)[0])
    wait_until(lambda: machine.systemctl("is-system-running", check=False) in {"running", "degraded"})
    return machine


def _removed(group: Path) -> bool:
    """Remove a control group and those in it, once their processes have ended."""
    with suppress(OSError):
        for folder, *_ in sorted(os.walk(group), reverse=True):
            Path(folder).rmdir()
    return not group.exists()


def _below(pid: int) -> list[int]:
    return [each for child in children(pid) for each in (child, *_below(child))]


def _inner(pid: int) -> int:
    """The process id that a process has in its own namespace; 0 if it has ended."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("NSpid:")).split()[-1])
    return 0
