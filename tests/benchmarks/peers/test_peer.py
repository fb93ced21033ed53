import re
from pathlib import Path

import pytest

from benchmarks import bodies
from benchmarks.load import message
from benchmarks.peers.peer import V2, Peer, PeerError, peers

FILE = '''"""What it is."""
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "fast-server[all]>=1.2,<2",
#     "numpy",
# ]
# [tool.peer]
# title = "A server"
# ready = "/up"
# [tool.peer.settings]
# "alone" = ["--batch", "1"]
# ///
'''


def test_the_metadata_of_a_file_has_the_dependencies_command_and_path_of_its_peer(tmp_path: Path) -> None:
    file = tmp_path / "fast.py"
    file.write_text(FILE)

    peer = Peer.read(file)

    assert (peer.name, peer.title, peer.ready, peer.path) == ("fast", "A server", "/up", "/reversal/predict")
    assert peer.dependencies == ("fast-server", "numpy")
    assert peer.command(80, 2, "alone")[1:] == [
        *("-m", "benchmarks.peers.servers.fast", "--port", "80", "--workers", "2", "--batch", "1")
    ]


def test_a_file_without_metadata_is_refused_with_its_name(tmp_path: Path) -> None:
    file = tmp_path / "bare.py"
    file.write_text('"""What it is."""\n')

    with pytest.raises(PeerError, match=r"bare\.py: .*PEP 723"):
        Peer.read(file)


def test_a_peer_that_cannot_be_installed_reports_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "fast.py"
    file.write_text(FILE)
    (tmp_path / "fast.txt").write_text("numpy==2.4.6\n")
    monkeypatch.setattr("benchmarks.peers.peer.REQUIREMENTS", tmp_path)
    monkeypatch.setattr("benchmarks.peers.peer.BUILD", tmp_path)

    with pytest.raises(PeerError, match=r"(?s)^fast .*hash.*numpy==2\.4\.6"):
        Peer.read(file).build()

    assert not (tmp_path / "peers" / "fast" / "requirements.txt").exists()


def test_a_peer_with_this_servers_form_gets_the_body_unchanged() -> None:
    peer = next(each for each in peers() if each.name == "fastapi_onnx")

    assert peer.message({"pair": "EUR/USD"}) == message("/reversal/predict", b'{"pair":"EUR/USD"}')


def test_v2_sends_the_matrix_as_one_tensor() -> None:
    assert V2().request({"pair": "EUR/USD", "features": [[1, 2, 3], [4, 5, 6]]}) == {
        "inputs": [{"name": "features", "shape": [1, 2, 3], "datatype": "FP32", "data": [1, 2, 3, 4, 5, 6]}]
    }


def test_v2_reads_the_tensors_in_any_order() -> None:
    outputs = [{"name": "probabilities", "data": [0.75, 0.82, 0.68]}, {"name": "signal", "data": ["long"]}]

    assert V2().answer({"outputs": outputs}) == {
        "signal": "long",
        "confidence": 0.75,
        "stage1_prob": 0.82,
        "stage2_prob": 0.68,
    }


@pytest.mark.parametrize("peer", peers(), ids=lambda peer: peer.name)
def test_every_peer_is_locked_with_hashes_and_without_addresses(peer: Peer) -> None:
    text = peer.requirements.read_text()

    assert set(peer.versions) == set(peer.dependencies)
    assert len(re.findall(r"^\S+==\S+.* \\$", text, re.MULTILINE)) == len(re.findall(r"^\S+==", text, re.MULTILINE))
    assert "://" not in text


@pytest.mark.parametrize("peer", peers(), ids=lambda peer: peer.name)
def test_every_peer_gets_requests_of_the_same_size(peer: Peer) -> None:
    body = bodies.asking("features")[0]

    assert len(peer.message(body)) == pytest.approx(len(bodies.messages("features")[0]), rel=0.03)
