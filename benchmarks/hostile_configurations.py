"""Keras files whose configuration asks for layers without end: cases of benchmarks/hostile_cases.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import h5py

from benchmarks.hostile_models import Make, Named, changed


def _configured(change: Callable[[dict[str, Any]], None]) -> Make:
    def edit(file: h5py.File) -> None:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)

    return changed(edit)


def _layer(config: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(x for x in config["config"]["layers"] if x["class_name"] == kind)
    return found


def _wide(config: dict[str, Any]) -> None:
    _layer(config, "Dense")["config"]["units"] = 1_000_000_000


def _wide_in_steps(config: dict[str, Any]) -> None:
    """Layers that are each no wider than the limit of a shape, and together have 10^10 parameters."""
    for layer in config["config"]["layers"]:
        if "units" in layer["config"]:
            layer["config"]["units"] = 30_000


def _wide_input(config: dict[str, Any]) -> None:
    for layer in config["config"]["layers"]:
        for key in ("batch_input_shape", "batch_shape"):
            if key in layer["config"]:
                layer["config"][key] = [None, 20, 1_000_000_000]


def _wide_by_build_config(config: dict[str, Any]) -> None:
    """Keras 3 builds a layer for the shape that it says itself."""
    _layer(config, "Dense")["build_config"] = {"input_shape": [None, 99_000]}
    _layer(config, "Dense")["config"]["units"] = 99_000


def _waiting_layers(config: dict[str, Any]) -> None:
    """Two layers that take each other's output: Keras tries them in turns for ever."""
    layers = config["config"]["layers"]
    for layer, other in ((layers[-2], layers[-1]), (layers[-1], layers[-2])):
        layer["name"] = layer["config"]["name"]
        layer["inbound_nodes"] = [[[other["config"]["name"], 0, 0, {}]]]
    config["class_name"] = "Functional"


def _text_of_config(text: str) -> Make:
    def edit(file: h5py.File) -> None:
        file.attrs["model_config"] = text

    return changed(edit)


def _reversed_layers(config: dict[str, Any]) -> None:
    """480 layers that each take the outputs of all before them, the last one first: every round finds one more."""
    layers: list[dict[str, Any]] = [
        {"class_name": "Add", "name": f"a{i}", "config": {}, "inbound_nodes": [[[f"a{j}", 0, 0] for j in range(i)]]}
        for i in range(480)
    ]
    config["class_name"], config["config"] = "Functional", {"layers": layers[::-1]}


CONFIGURATIONS: tuple[Named, ...] = (
    ("configuration: a layer of 10^9 units", _configured(_wide), ".h5"),
    ("configuration: five layers of 30,000 units", _configured(_wide_in_steps), ".h5"),
    ("configuration: an input of 10^9 features", _configured(_wide_input), ".h5"),
    ("configuration: a build_config of 10^10 weights", _configured(_wide_by_build_config), ".h5"),
    ("configuration: layers that wait for each other", _configured(_waiting_layers), ".h5"),
    ("configuration: 1,000,000 levels", _text_of_config("[" * 1_000_000), ".h5"),
    ("configuration: 650,000 empty lists", _text_of_config("[" + "[]," * 650_000 + "0]"), ".h5"),
    ("configuration: 480 layers in reverse", _configured(_reversed_layers), ".h5"),
)
