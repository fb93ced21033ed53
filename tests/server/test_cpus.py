from __future__ import annotations

import os
from pathlib import Path

import pytest

from server import cpus

V2 = "36 35 0:31 {top} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "40 39 0:34 {top} /sys/fs/cgroup/cpu,cpuacct rw shared:16 - cgroup cgroup rw,cpu,cpuacct\n"
    "41 39 0:35 / /sys/fs/cgroup/cpuset rw shared:17 - cgroup cgroup rw,cpuset\n"
)


@pytest.fixture(autouse=True)
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def v2(root: Path, group: str, *, top: str = "/", **limits: str) -> Path:
    """`limits`: cpu.max by folder below the mount, `_` for a slash."""
    write(root, {"proc/self/cgroup": f"0::{group}\n", "proc/self/mountinfo": V2.format(top=top)})
    return write(root, {f"sys/fs/cgroup/{name.replace('_', '/')}/cpu.max": text for name, text in limits.items()})


def v1(root: Path, group: str, quota: str, period: str = "100000", *, top: str = "/", folder: str = "") -> Path:
    place = f"sys/fs/cgroup/cpu,cpuacct/{folder}"
    return write(
        root,
        {
            "proc/self/cgroup": f"9:cpuset:/\n4:cpu,cpuacct:{group}\n0::/\n",
            "proc/self/mountinfo": V1.format(top=top),
            f"{place}/cpu.cfs_quota_us": quota,
            f"{place}/cpu.cfs_period_us": period,
        },
    )


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert cpus.available(tmp_path) == 8


def test_without_an_affinity_the_machine_s_cpus_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert cpus.available(tmp_path) == 5


def test_v2_a_group_without_a_limit_has_the_affinity(tmp_path: Path) -> None:
    assert cpus.available(v2(tmp_path, "/a", a="max 100000\n")) == 8


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("200000 100000", 2), ("150000 100000", 1), ("399000 100000", 3), ("20000 100000", 1), ("4000000 100000", 8)],
)
def test_v2_a_quota_is_rounded_down_and_at_least_one(tmp_path: Path, limit: str, expected: int) -> None:
    assert cpus.available(v2(tmp_path, "/a", a=f"{limit}\n")) == expected


def test_v2_the_lowest_limit_of_a_group_and_its_parents_counts(tmp_path: Path) -> None:
    assert cpus.available(v2(tmp_path, "/a/b/c", a="300000 100000", a_b="max 100000", a_b_c="500000 100000")) == 3


def test_v2_in_a_container_the_own_group_is_the_root(tmp_path: Path) -> None:
    assert cpus.available(write(v2(tmp_path, "/"), {"sys/fs/cgroup/cpu.max": "200000 100000"})) == 2


@pytest.mark.parametrize("group", ["/docker/abc", "/../../elsewhere"])
def test_v2_a_group_with_its_name_on_the_host_is_found_at_its_mount(tmp_path: Path, group: str) -> None:
    made = v2(tmp_path, group, top="/docker/abc")
    assert cpus.available(write(made, {"sys/fs/cgroup/cpu.max": "200000 100000"})) == 2


def test_v1_the_quota_of_the_group_s_folder_counts(tmp_path: Path) -> None:
    assert cpus.available(v1(tmp_path, "/docker/abc", "300000\n", folder="docker/abc")) == 3


def test_v1_in_a_container_the_group_is_found_at_its_mount(tmp_path: Path) -> None:
    assert cpus.available(v1(tmp_path, "/docker/abc", "100000\n", "50000\n", top="/docker/abc")) == 2


@pytest.mark.parametrize(("quota", "period"), [("-1", "100000"), ("200000", "0"), ("", "")])
def test_v1_without_a_readable_limit_the_affinity_counts(tmp_path: Path, quota: str, period: str) -> None:
    assert cpus.available(v1(tmp_path, "/", quota, period)) == 8


def test_it_reads_this_machine() -> None:
    assert 1 <= cpus.available() <= 8
