"""The documents list what the code has: a name that is added to the code, or removed from it, fails here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from convert.layers import table
from convert.layers.operators import names
from core.bundles.repository import Repository
from core.features import catalogue
from core.features.timeframes import Timeframe
from server.api.schemas import experiments, reports
from server.keeper.metrics import KeeperMetrics
from server.worker.metrics import Metrics
from tests import transcription
from tests.core.features.computing import ALL, CLOCK
from tests.market import ONNX, ROOT, VERSIONS, frame

# A file or folder of the project. Paths of endpoints, such as /reversal/models, begin with a slash.
PATH = re.compile(
    r"(?<![\w/.-])(?:core|server|convert|training|migration|reversal|models|benchmarks|fuzz|tests|tools|docs)/[\w./-]*"
)


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text()


@pytest.mark.parametrize("name", catalogue.FIXED)
def test_a_feature_is_documented_and_compared_with_pandas(name: str) -> None:
    assert f"`{name}`" in text_of("indicators.md")
    assert name in {*ALL, *CLOCK}
    assert name in transcription.features(frame().head(300)).columns


@pytest.mark.parametrize("name", catalogue.FAMILIES)
def test_a_family_of_features_is_documented_and_compared_with_pandas(name: str) -> None:
    assert f"`{name}`" in text_of("indicators.md")
    assert any(re.fullmatch(re.sub("<.>", "[0-9]+", name), each) for each in ALL)


@pytest.mark.parametrize("name", get_args(Timeframe))
def test_a_timeframe_is_documented(name: str) -> None:
    assert f"`{name}`" in text_of("predict.md")


@pytest.mark.parametrize("metrics", [Metrics(), KeeperMetrics()], ids=["worker", "keeper"])
def test_a_metric_is_documented(metrics: Metrics | KeeperMetrics) -> None:
    registry: CollectorRegistry = metrics.registry
    names = {f"{each.name}_total" if each.type == "counter" else each.name for each in registry.collect()}
    assert names
    assert [name for name in sorted(names) if f"`{name}" not in text_of("monitoring.md")] == []


@pytest.mark.parametrize("name", sorted(table.KNOWN - table.MODELS - {"InputLayer"}))
def test_a_layer_is_documented_and_compared_with_keras(name: str) -> None:
    assert f"`{name}`" in text_of("convert.md")
    cases = "".join(path.read_text() for path in (ROOT / "tests" / "convert" / "layers").glob("test_*.py"))
    assert f".{name}(" in cases


@pytest.mark.parametrize("operators", [names.KERAS, names.TENSORFLOW], ids=["keras", "tensorflow"])
def test_an_operator_is_documented(operators: dict[str, names.Operator]) -> None:
    text = text_of("convert-operators.md")
    assert [name for name in operators if f"`{name}`" not in text] == []


def test_a_field_of_the_report_is_documented() -> None:
    own = reports.ANSWERS["Report"]["properties"].keys() - experiments.EXPERIMENT.keys()
    assert own
    assert [name for name in sorted(own) if f"`{name}" not in text_of("statistics.md")] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "docs/changes.md", "docs/glossary.md"])
def test_a_path_that_is_named_exists(page: str) -> None:
    paths = {path.rstrip(".") for path in PATH.findall((ROOT / page).read_text())}
    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("package", ["core", "server"])
def test_a_room_is_on_the_map(package: str) -> None:
    rooms = {
        path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    named = set(re.findall(rf"`{package}/(\w+)", text_of("architecture.md")))
    assert named == rooms - {"__init__"}


def test_a_method_that_is_named_exists() -> None:
    folders = (ROOT / package for package in ("core", "server", "convert"))
    code = "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    named = set(re.findall(r"\b([A-Z][a-z]\w+)\.([a-z]\w+)", text_of("architecture.md")))
    assert named
    assert [name for name in sorted(named) if f"class {name[0]}" not in code or f"def {name[1]}(" not in code] == []


def events() -> Iterator[tuple[str, str | None, list[str]]]:
    """The name of each log event of the server, its fields, and its level if it is passed to a logger directly."""
    for file in (path for package in ("core", "server") for path in (ROOT / package).rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        levels = {node.args[0]: node.func.attr for node in calls if isinstance(node.func, ast.Attribute) and node.args}
        for node in calls:
            if isinstance(node.func, ast.Name) and node.func.id == "LogEvent":
                fields = [keyword.arg for keyword in node.keywords if keyword.arg]
                level = levels.get(node)
                yield ast.literal_eval(node.args[0]), "error" if level == "exception" else level, fields


def test_a_log_event_is_documented_with_its_level_and_fields() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", text_of("logs.md"), re.MULTILINE)
    documented = {name: (level, fields.split(", ")) for name, level, fields in rows}
    found = list(events())
    assert len(found) > 60
    assert {name for name, _, _ in found} == documented.keys()
    for name, level, fields in found:
        assert level in {documented[name][0], None}, name
        assert set(fields) <= set(documented[name][1]), name


def test_each_failure_names_a_test() -> None:
    tests = ROOT / "tests"
    rows = [line for line in text_of("failures.md").splitlines() if line.startswith("| ")]
    named = [
        name for row in rows for name in re.findall(r"`([^`]*)`", row.rsplit("|", 2)[1]) if "python -m" not in name
    ]
    assert len(named) > 35
    file = tests
    for name in named:
        module, _, fragments = ("", "", name) if name.startswith("…") else name.partition("::")
        if module:
            file = tests / ("" if "/" in module else "system") / f"{module}.py"
        text = file.read_text()
        assert all(fragment in text for fragment in re.findall(r"\w+", fragments)), name


def test_a_figure_of_the_comparison_is_one_of_the_measured_ones() -> None:
    (speed,) = re.findall(r"^## Speed\n(.*?)^## ", text_of("compared.md"), re.MULTILINE | re.DOTALL)
    figures = re.findall(r"\d+\.\d+", speed)
    assert len(figures) >= 5
    assert [each for each in figures if f"| {each} |" not in text_of("benchmarks-peers.md")] == []


def test_the_scores_in_the_readme_are_those_of_the_manifests() -> None:
    metrics = {version: Repository(ONNX).read_manifest(version).metrics for version in VERSIONS}
    (newest,) = (line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| [v3.2]"))
    stages = metrics["v3.2"]
    assert newest.count("AUC") == 1
    for (mean, low, high), digits in (
        (stages["stage1"]["2020"]["auc"], 3),
        (stages["stage2"]["2020"]["auc"], 3),
        (stages["stage1"]["signals"]["2020"]["expectancy_pips"], 2),
    ):
        shown = f"{mean:.{digits}f}", f"[{low:.{digits}f}, {high:.{digits}f}]"
        assert all(figure in newest for figure in shown), shown
    for version in ("v3.1", "v3.0"):
        (row,) = (line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(f"| [{version}]"))
        assert f"{metrics[version]['stage1']['auc']:.2f}" in row
