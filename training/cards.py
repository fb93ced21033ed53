"""Model cards from the manifests of bundles: what a version is for, on what it was trained, how well, where not.

Mitchell et al. 2019, Model Cards for Model Reporting. `python -m training.cards` writes docs/models/.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.bundles.manifest import Manifest
from core.bundles.repository import Repository

_FOLDER = Path(__file__).parents[1]
_CHANCE = 0.5
# Of an AUC. Below it, the ranking is of no use for a decision, whatever its interval.
_WEAK = 0.54
_WIDTH = 120


def card(manifest: Manifest) -> str:
    """The page of one version, in Markdown."""
    sections = {
        "What it is for": _purpose(manifest),
        "On what it was trained": _training(manifest),
        "How well": _scores(manifest),
        "Where not": _limits(manifest),
    }
    head = f"# {manifest.version}, {manifest.name}\n\n{_wrapped(manifest.description)}\n\n"
    note = "Made from the manifest by `python -m training.cards`; change nothing here.\n"
    return head + note + "".join(f"\n## {title}\n\n{_joined(lines)}\n" for title, lines in sections.items())


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(map(_wrapped, lines))


def _wrapped(line: str) -> str:
    """Break a line of prose, with the indent of its list. A row of a table stays one line."""
    if line.startswith("|"):
        return line
    indent = " " * (len(line) - len(line.lstrip(" -")))
    return textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _purpose(it: Manifest) -> Iterator[str]:
    direction = "its direction comes from Stage 2" if it.stage2 else "it names no direction"
    if it.classes:
        direction = "one network gives hold, long or short"
    yield f"- It answers hold, long or short for the last candle of one pair: {direction}."
    yield f"- An alarm is a Stage 1 output of {it.threshold} or more."
    if it.inputs == "candles":
        yield (
            f"- It needs {it.required_candles} candles, and its answer no longer changes from"
            f" {it.recommended_candles} on."
        )
    else:
        yield "- It takes ready-made features only, no candles."
    if it.label_rule:
        yield f"- What an alarm should mean (the label): {_flat(it.label_rule)}."
    for label, stage in it.stages.items():
        yield (
            f"- {_title(label)}: window of {stage.sequence_length}, {stage.parameters:,} parameters; features"
            f" {', '.join(f'`{name}`' for name in stage.features)}."
        )


def _training(it: Manifest) -> Iterator[str]:
    known = False
    for label, given in it.metadata.items():
        trained_on = given.get("trained_on") if isinstance(given, dict) else None
        if not isinstance(trained_on, dict):
            continue
        known = True
        files = trained_on.get("files")
        data = ", ".join(f"{each['pair']}" for each in files.values()) if isinstance(files, dict) else None
        yield f"- {_title(label)}: {data or trained_on.get('file', 'see the metadata')}."
        for name, part in sorted(trained_on.get("parts", {}).items(), key=lambda item: str(item[1]["first"])):
            yield f"  - {name}: {part['first']} to {part['last']}, {part['bars']:,} bars."
        if "embargo_bars" in trained_on:
            yield f"  - {trained_on['embargo_bars']} bars of each pair before the next part are in neither (embargo)."
        if "training" in given:
            yield f"  - {_flat(given['training'])}."
    if not known:
        yield "The metadata do not say."


def _scores(it: Manifest) -> Iterator[str]:
    if not it.metrics:
        yield "The metadata have no scores."
    for label, metrics in it.metrics.items():
        if not isinstance(metrics, Mapping):
            continue
        yield from ("", f"**{_title(label)}**", "") if label != next(iter(it.metrics)) else (f"**{_title(label)}**", "")
        yield "| score | value, with its interval of 95 % |"
        yield "|---|---|"
        for place, value in _leaves(metrics):
            yield f"| {place} | {value} |"


def _limits(it: Manifest) -> Iterator[str]:
    for label, metrics in it.metrics.items():
        for place, value, interval in _aucs(metrics):
            where = f"{_title(label)}, {place}" if place else _title(label)
            if interval and interval[0] <= _CHANCE:
                yield f"- {where}: an AUC of {value} is not better than chance beyond its interval."
            elif value < _WEAK:
                yield f"- {where}: an AUC of {value} ranks hardly better than chance."
    for place, (mean, low, high) in _expectancies(it.metrics):
        verdict = "loses" if high < 0.0 else "gains" if low > 0.0 else "neither gains nor loses for certain"
        yield f"- {place}: a trade on each signal {verdict}: {mean} [{low}, {high}] after costs."
    if any(name in stage.features for stage in it.stages.values() for name in ("close", "sma_20", "bb_middle")):
        yield "- Its inputs are absolute prices: at another price level its answers carry `OUT_OF_RANGE`."
    else:
        yield "- Its inputs have no unit, so prices in a wrong unit, or of another pair, cannot be noticed from them."
        yield (
            "- Weekends were not in its training. Leave out flat candles that fill them, as some exports do: most of"
            " them, and of the first hours after them, would be alarms, without a warning."
        )
    yield "- Other timeframes than that of its training were not measured."


def _aucs(metrics: Any, place: str = "") -> Iterator[tuple[str, float, list[float] | None]]:  # noqa: ANN401 - JSON
    """Each AUC in the metrics: where, its value, and its interval if it has one."""
    if not isinstance(metrics, Mapping):
        return
    for key, value in metrics.items():
        inner = f"{place} {key}".strip()
        if key == "auc" and isinstance(value, float):
            yield place, value, None
        elif key == "auc" and isinstance(value, list):
            yield place, value[0], value[1:]
        elif key == "auc_by_pair":
            yield from ((f"{place} {pair}".strip(), found, None) for pair, found in value.items())
        elif key != "baselines":
            yield from _aucs(value, inner)


def _expectancies(metrics: Any, place: str = "") -> Iterator[tuple[str, list[float]]]:  # noqa: ANN401 - JSON
    if isinstance(metrics, Mapping):
        for key, value in metrics.items():
            if key.startswith("expectancy") and isinstance(value, list):
                yield f"{place} {key.replace('_', ' ')}".strip(), value
            else:
                yield from _expectancies(value, f"{place} {key}".replace("stage1 signals", "").strip())


def _leaves(value: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """The numbers of nested metrics, a row each; lists of three are a value and its interval."""
    for key, each in value.items():
        inner = f"{place}, {key}" if place else str(key)
        inner = inner.replace("_", " ")
        if key == "reliability":
            continue
        if isinstance(each, Mapping):
            if each and all(isinstance(found, int | float) for found in each.values()) and key == "auc_by_pair":
                yield inner, ", ".join(f"{name} {found}" for name, found in each.items())
            else:
                yield from _leaves(each, inner)
        elif isinstance(each, list) and len(each) == 3 and all(isinstance(one, float) for one in each):  # noqa: PLR2004
            yield inner, f"{each[0]} [{each[1]}, {each[2]}]"
        else:
            yield inner, ", ".join(map(str, each)) if isinstance(each, list) else str(each)


def _flat(value: Any) -> str:  # noqa: ANN401 - JSON
    """Nested values in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_flat(each)}" for key, each in value.items())
    return str(value)


def _title(label: str) -> str:
    return {"stage1": "Stage 1", "stage2": "Stage 2"}.get(label, label)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a card for each bundle of a folder."""
    parser = argparse.ArgumentParser(prog="python -m training.cards", description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=_FOLDER / "models" / "onnx", help="folder of bundles")
    parser.add_argument("--output", type=Path, default=_FOLDER / "docs" / "models", help="folder of the cards")
    options = parser.parse_args(arguments)
    repository = Repository(options.models)
    options.output.mkdir(parents=True, exist_ok=True)
    for version in repository.listing().versions:
        (options.output / f"{version}.md").write_text(card(repository.read_manifest(version)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
