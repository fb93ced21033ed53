"""Every network of the corpus is published, the way that it must go, without Loops where the table has its layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import converter_coverage, converter_files
from benchmarks.converter_corpus import BOTH, FEATURES, OTHER_FORMS, STEPS, USUAL, Network, networks
from convert.networks.keras_model import KerasModel
from convert.proof import parity

NETWORKS = list(networks())
EVERY = 27  # a sample in each run; `make test-long` converts all


def test_the_corpus_has_what_it_must_show() -> None:
    assert len(NETWORKS) == len({network.name for network in NETWORKS}) >= 80
    assert {network.form for network in NETWORKS} == {*USUAL.values(), *OTHER_FORMS}
    assert {(network.framework, network.way) for network in NETWORKS} == {
        (framework, way) for framework in BOTH for way in ("layers", "tf2onnx")
    }


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(network, id=network.name, marks=() if i % EVERY == 0 else pytest.mark.long)
        for i, network in enumerate(NETWORKS)
    ],
)
def test_network(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's own way, with fewer windows and without its times of the framework."""
    monkeypatch.setattr(parity, "RANDOM_WINDOWS", 40)
    monkeypatch.setattr(parity, "MASKED_WINDOWS", 20)
    monkeypatch.setattr(KerasModel, "seconds", lambda _self: 0.0)
    converter_files.write(network, tmp_path)
    found = converter_coverage.converted(tmp_path)
    report, stage = found.reports["stage1"], found.manifest.stage1
    assert report.way == network.way
    assert stage.sequence_length == STEPS
    assert stage.features == FEATURES
    assert report.max_difference < 5e-6
    assert stage.parity["highest_answer"] - stage.parity["lowest_answer"] > parity.MIN_SPREAD
    names = converter_coverage.operators(converter_coverage.network_of(found).graph)
    assert report.loops == sum(name in converter_coverage.LOOPS for name in names)
    if network.way == "layers":
        assert report.loops == 0
