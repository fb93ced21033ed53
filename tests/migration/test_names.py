"""Names that only the old service took."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core.bundles.manifest import VersionName
from core.experiments.experiment import ExperimentId
from migration.names import usable

KINDS = [ExperimentId, VersionName]
ODD = [
    *("my test", "my  test", "my\ttest", "my_test ", " my_test", "a/b", "../a", ".a", "a:b", "тест", "用户7"),
    *("", " ", "x" * 65, "x" * 500, "\x00", "a\n", "half \ud83d", "é", "e\u0301", "%20", "''"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["v30_vs_v31", "A.b-c_1", "x" * 64, "0"])
def test_a_valid_name_stays(name: str, kind: Any) -> None:  # noqa: ANN401 - a type
    assert usable(name, kind) == name


def test_the_type_decides_what_is_valid() -> None:
    assert usable("-a", ExperimentId) == "-a"
    assert usable("-a", VersionName) != "-a"


@pytest.mark.parametrize("kind", KINDS)
def test_all_others_become_valid_and_stay_different(kind: Any) -> None:  # noqa: ANN401 - a type
    found = [usable(name, kind) for name in ODD]
    assert len(set(found)) == len(ODD)
    for name in found:
        assert msgspec.convert(name, kind) == name
        assert usable(name, kind) == name


def test_the_result_is_similar_and_the_same_in_every_run() -> None:
    assert usable("my test", ExperimentId) == "my_test-1c3bc041"
    assert usable("", ExperimentId) == "unnamed-e3b0c442"
