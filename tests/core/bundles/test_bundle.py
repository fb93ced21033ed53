from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from core.bundles import bundle, manifest, onnx_file
from core.errors import BundleRefused
from tests import bundles


def test_a_valid_bundle_has_the_bytes_of_its_graphs(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path)
    found = bundle.read(folder)
    assert found.manifest.version == "v1"
    assert (
        found.graphs[found.manifest.stage1.network.sha256] == (folder / found.manifest.stage1.network.file).read_bytes()
    )


@pytest.mark.parametrize("prefix", ["stage1-network", "stage1-scaler", "stage2-network"])
def test_a_graph_with_one_flipped_byte_is_refused_with_its_file_name(tmp_path: Path, prefix: str) -> None:
    folder = bundles.write(tmp_path)
    (file,) = folder.glob(f"{prefix}-*.onnx")
    bundles.flip_byte(file)
    with pytest.raises(BundleRefused, match=rf"bundle v1: {file.name}: SHA-256 is [0-9a-f]{{64}}.*[0-9a-f]{{64}}"):
        bundle.read(folder)


def test_a_missing_graph_is_refused_with_its_file_name(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path)
    (file,) = folder.glob("stage1-network-*.onnx")
    file.unlink()
    with pytest.raises(BundleRefused, match=f"{file.name}: No such file"):
        bundle.read(folder)


def test_an_invalid_manifest_is_refused_with_the_field(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path)
    file = folder / manifest.FILE_NAME
    file.write_text(file.read_text().replace('"threshold": 0.5', '"threshold": 5'))
    with pytest.raises(BundleRefused, match=r"bundle v1: manifest\.json: threshold: 5\.0"):
        bundle.read(folder)


def test_a_manifest_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path).rename(tmp_path / "v2")
    with pytest.raises(BundleRefused, match=r"bundle v2: manifest\.json: version: 'v1'"):
        bundle.read(folder)


def test_a_graph_with_another_opset_than_the_manifest_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "model_bytes", functools.partial(bundles.model_bytes, opset=15))
    folder = bundles.write(tmp_path)
    with pytest.raises(BundleRefused, match=r"\.onnx: .*operator sets \{'': 15\}.* 17"):
        bundle.read(folder)


def test_a_graph_that_is_not_onnx_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "network", lambda *_: b"no graph")
    with pytest.raises(BundleRefused, match=r"stage1-network-\w+\.onnx: not an ONNX file: "):
        bundle.read(bundles.write(tmp_path))


def test_a_graph_with_tensors_in_other_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bundles.write(tmp_path)
    monkeypatch.setattr(onnx_file, "forbidden", lambda _: "stores tensors in other files")
    with pytest.raises(BundleRefused, match=r"stage1-network-\w+\.onnx: .*other files"):
        bundle.read(folder)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    folder = bundles.write(tmp_path)
    (folder / manifest.FILE_NAME).unlink()
    os.mkfifo(folder / manifest.FILE_NAME)
    with pytest.raises(BundleRefused, match=r"manifest\.json: not a regular file"):
        bundle.read(folder)


def test_a_file_that_is_replaced_by_a_pipe_during_the_check_is_refused_without_waiting_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = bundles.write(tmp_path) / manifest.FILE_NAME
    resolve = Path.resolve

    def replaced(path: Path) -> Path:
        if path == file and not path.is_fifo():
            path.unlink()
            os.mkfifo(path)
        return resolve(path)

    monkeypatch.setattr(Path, "resolve", replaced)
    with pytest.raises(BundleRefused, match=r"manifest\.json: not a regular file"):
        bundle.read(file.parent)


def test_a_folder_instead_of_a_graph_is_refused(tmp_path: Path) -> None:
    file = next(bundles.write(tmp_path).glob("stage1-network-*"))
    file.unlink()
    file.mkdir()
    with pytest.raises(BundleRefused, match=rf"{file.name}: not a regular file"):
        bundle.read(file.parent)


def test_a_bundle_that_is_published_during_the_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundles.write(tmp_path)
    decode = manifest.decode

    def decode_and_publish(data: bytes) -> manifest.Manifest:
        found = decode(data)
        if found.threshold == 0.5:
            (folder / found.stage1.network.file).unlink()
            bundles.write(tmp_path, threshold=0.6, length=5)
        return found

    monkeypatch.setattr(manifest, "decode", decode_and_publish)
    assert bundle.read(folder).manifest.threshold == 0.6


def test_only_links_that_stay_within_the_models_folder_are_followed(tmp_path: Path) -> None:
    models, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    bundles.write(elsewhere, "v1")
    models.mkdir()
    (models / "v1").symlink_to(elsewhere / "v1")
    with pytest.raises(BundleRefused, match=r"bundle v1: manifest\.json: .*outside the models folder"):
        bundle.read(models / "v1")
    (models / "v1").unlink()
    (elsewhere / "v1").rename(models / "..data")  # as Kubernetes mounts a volume
    (models / "v1").symlink_to("..data")
    assert bundle.read(models / "v1").manifest.version == "v1"


@pytest.mark.parametrize(("what", "limit"), [("manifest.json", 1), ("stage1-network-*.onnx", 64)])
def test_a_huge_file_is_refused(tmp_path: Path, what: str, limit: int) -> None:
    (file,) = bundles.write(tmp_path).glob(what)
    with file.open("r+b") as opened:
        opened.truncate(1 << 40)  # a sparse file, which uses no disk space
    with pytest.raises(BundleRefused, match=rf"{file.name}: .*\b{limit} MiB"):
        bundle.read(tmp_path / "v1")
