"""The files on disk after publishing, and after a kill at any moment of publishing."""

from __future__ import annotations

import hashlib
import json
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from convert import publish
from convert.bundle import ConvertedBundle
from convert.graph import FLOAT, GraphBuilder
from core.bundles import bundle as reading
from core.bundles import manifest
from core.bundles.manifest import DirectionStage, File, Manifest, Stage

pytestmark = pytest.mark.serial  # forks, and kills a publisher at every moment

# Publishes in one child process after the other. Child n kills itself before its n-th operation on a file; the last
# child finishes.
KILLED_SCRIPT = """
import os, pickle, signal, sys
from itertools import count
from pathlib import Path
from convert import publish

given, bundles, order = pickle.loads(Path(sys.argv[1]).read_bytes())
for moment in count():
    output = Path(sys.argv[2]) / str(moment)
    if given:
        publish.publish(given, output, ["v1", "v2"])
    child = os.fork()
    if child == 0:
        steps = count()
        def watch(event, arguments):
            if event in {"open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir"}:
                if next(steps) == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        publish.publish(bundles, output, order)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
    if status == 0:
        break
"""


def made(version: str, content: str, *, shared: str = "shared scaler") -> ConvertedBundle:
    """A bundle of the smallest valid graphs, each with a text that changes its length."""
    graphs: dict[str, bytes] = {}

    def file(kind: str, text: str) -> File:
        graph = GraphBuilder()
        model = graph.finish(("x", FLOAT, (1,)), ("y", FLOAT, (1,)), graph.value("Relu", "only", "x"))
        model.doc_string = text
        data = model.SerializeToString()
        digest = hashlib.sha256(data).hexdigest()
        graphs[f"{kind}-{digest[:16]}.onnx"] = data
        return File(f"{kind}-{digest[:16]}.onnx", digest)

    def stage(label: str) -> dict[str, object]:
        return {
            "features": ("close", "sma_20"),
            "sequence_length": 5,
            "parameters": 10,
            "opset": 17,
            "network": file(f"{label}-network", f"{label} {content}" * 5_000),
            "scaler": file("scaler", shared),
            "sources": {},
            "parity": {"max_difference": 1e-7},
        }

    found = Manifest(
        format_version=manifest.FORMAT_VERSION,
        version=version,
        name=content,
        description="",
        threshold=0.5,
        confidence_weights=(0.5, 0.5),
        stage1=Stage(**stage("stage1")),  # type: ignore[arg-type]
        stage2=DirectionStage(**stage("stage2"), positive="short"),  # type: ignore[arg-type]
        metrics={},
        metadata={},
        tools={},
    )
    return ConvertedBundle(found, graphs, {})


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_bundle_is_what_core_reads(tmp_path: Path) -> None:
    first, second = made("v1", "a"), made("v2", "b")
    publish.publish([first, second], tmp_path, ["v2", "v1"])
    for bundle in (first, second):
        found = reading.read(tmp_path / bundle.manifest.version)
        assert found.manifest == bundle.manifest
        assert sorted(found.graphs.values()) == sorted(bundle.graphs.values())
    assert json.loads((tmp_path / "index.json").read_bytes()) == {"order": ["v2", "v1"]}
    assert len(files(tmp_path)) == 2 * 4 + 1


def test_publishing_again_writes_nothing(tmp_path: Path) -> None:
    publish.publish([made("v1", "a")], tmp_path, ["v1"])
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in tmp_path.rglob("*")}
    publish.publish([made("v1", "a")], tmp_path, ["v1"])
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in tmp_path.rglob("*")} == before


def test_publishing_again_repairs_a_graph(tmp_path: Path) -> None:
    publish.publish([made("v1", "a")], tmp_path, ["v1"])
    before = files(tmp_path)
    graph = next(tmp_path.rglob("stage1-network-*.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1] + b"?")
    publish.publish([made("v1", "a")], tmp_path, ["v1"])
    assert files(tmp_path) == before


def test_files_of_the_old_bundle_are_deleted_and_other_files_stay(tmp_path: Path) -> None:
    publish.publish([made("v1", "a")], tmp_path, ["v1"])
    old = set(files(tmp_path / "v1"))
    (tmp_path / "v1" / "stage1-network-0123.onnx.new").write_bytes(b"left by a crash")
    (tmp_path / "v1" / "stage1-background-0123.npy").write_bytes(b"of the old bundle")
    (tmp_path / "v1" / "NOTES.md").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    publish.publish([made("v1", "b")], tmp_path, ["v1"])
    new = set(files(tmp_path / "v1"))
    assert new == {"manifest.json", "NOTES.md", *made("v1", "b").graphs}
    assert len([name for name in old & new if name.startswith("scaler-")]) == 1, "shared files are kept"
    assert (tmp_path / "elsewhere").is_dir()


def test_index_names_only_versions_with_a_bundle(tmp_path: Path) -> None:
    publish.publish([made("v2", "a")], tmp_path, ["v1", "v2"])
    assert json.loads((tmp_path / "index.json").read_bytes()) == {"order": ["v2"]}
    publish.publish([made("v1", "a")], tmp_path, ["v1", "v2"])
    assert json.loads((tmp_path / "index.json").read_bytes()) == {"order": ["v1", "v2"]}


def test_the_index_keeps_versions_of_earlier_conversions(tmp_path: Path) -> None:
    publish.publish([made("v1", "a"), made("v2", "a")], tmp_path, ["v2", "v1"])
    order = publish.publish([made("mine", "a")], tmp_path, ["mine"])
    assert order == ["mine", "v2", "v1"]
    assert json.loads((tmp_path / "index.json").read_bytes()) == {"order": order}


def test_an_index_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{")
    assert publish.publish([made("v1", "a")], tmp_path, ["v1"]) == ["v1"]


@pytest.mark.parametrize(
    ("before", "moments", "states"),
    [
        # Each version is absent or old, then new; then the index follows.
        ("nothing", 30, {(None, None, None), ("new", None, None), ("new", "new", None), ("new", "new", "v2 v1")}),
        (
            "other bundles",
            30,
            {("old", "old", "v1 v2"), ("new", "old", "v1 v2"), ("new", "new", "v1 v2"), ("new", "new", "v2 v1")},
        ),
        ("the same bundles", 10, {("new", "new", "v1 v2"), ("new", "new", "v2 v1")}),
    ],
)
def test_killed_at_any_moment_leaves_whole_bundles(
    before: str, moments: int, states: set[tuple[str | None, ...]], tmp_path: Path
) -> None:
    old = [made("v1", "old"), made("v2", "old", shared="old scaler")]
    new = [made("v1", "new"), made("v2", "new")]
    given = {"nothing": [], "other bundles": old, "the same bundles": new}[before]
    task, outputs, straight = tmp_path / "task", tmp_path / "outputs", tmp_path / "straight"
    task.write_bytes(pickle.dumps((given, new, ["v2", "v1"])))
    script = [sys.executable, "-c", KILLED_SCRIPT, str(task), str(outputs)]
    ends = [int(line) for line in subprocess.run(script, stdout=subprocess.PIPE, check=True).stdout.split()]
    assert ends[-1] == 0
    assert ends[:-1] == [-signal.SIGKILL] * (len(ends) - 1)
    assert len(ends) > moments

    publish.publish(new, straight, ["v2", "v1"])
    allowed = [bundle.manifest for bundle in (*given, *new)]
    found = set()
    for moment in range(len(ends)):
        output = outputs / str(moment)
        state: list[str | None] = []
        for version in ("v1", "v2"):
            if (output / version / manifest.FILE_NAME).exists():
                # Reading refuses a graph with another hash than the manifest's.
                read = reading.read(output / version).manifest
                assert read in allowed
                state.append(read.name)
            else:
                state.append(None)
        index = output / "index.json"
        order = json.loads(index.read_bytes())["order"] if index.exists() else None
        found.add((*state, " ".join(order) if order else None))
        # The next run finishes the work.
        publish.publish(new, output, ["v2", "v1"])
        assert files(output) == files(straight)
    assert found == states


def test_two_that_publish_at_once_leave_whole_bundles(tmp_path: Path) -> None:
    """Neither deletes files that the other has just written."""
    versions = [made("v1", content) for content in ("a", "b")]

    def publish_often(bundle: ConvertedBundle) -> None:
        for _ in range(30):
            publish.publish([bundle], tmp_path, ["v1"])

    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(publish_often, bundle) for bundle in versions]:
            done.result()
    assert reading.read(tmp_path / "v1").manifest.name in ("a", "b")


def test_a_full_disk_is_reported_with_the_file_and_the_old_bundle_stays(tmp_path: Path) -> None:
    publish.publish([made("v1", "a")], tmp_path, ["v1"])
    script = (
        "import pickle, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from convert import publish\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "publish.publish(pickle.loads(sys.stdin.buffer.read()), Path(sys.argv[1]), ['v1'])\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    ended = subprocess.run(command, input=pickle.dumps([made("v1", "b")]), capture_output=True, check=False)
    assert ended.returncode == 1
    last = ended.stderr.decode().splitlines()[-1]
    assert "File too large" in last
    assert f"{tmp_path}/v1/stage1-network-" in last
    assert reading.read(tmp_path / "v1").manifest.name == "a"
