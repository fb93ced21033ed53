from __future__ import annotations

from pathlib import Path

from benchmarks import growth
from core.bundles.repository import Repository
from core.inference.detector import Detector


def test_copied_versions_load_and_share_no_graph(tmp_path: Path) -> None:
    repository = Repository(growth.copies(tmp_path / "models", 3))
    assert repository.listing().versions == ("copy-1", "copy-2", "v3.0")
    bundles = [repository.read(version) for version in repository.listing().versions]
    assert [Detector(bundle).manifest.version for bundle in bundles] == ["copy-1", "copy-2", "v3.0"]
    stages = [stage for bundle in bundles for stage in bundle.manifest.stages.values()]
    windows = {stage.background_windows.sha256 for stage in stages if stage.background_windows is not None}
    graphs = [digest for bundle in bundles for digest in bundle.graphs if digest not in windows]
    assert len(set(graphs)) == len(graphs) == 3 * 3
