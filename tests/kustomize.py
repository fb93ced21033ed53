"""The part of kustomize that deploy/kubernetes uses, so that its tests need no program of Kubernetes.

tests/deploy/test_kubernetes.py compares it with `kubectl kustomize` where that is installed. What is not here is
refused, so that a kustomization which needs more cannot be rendered wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

Object: TypeAlias = dict[str, Any]

_KNOWN = {"apiVersion", "kind", "resources", "components", "patches", "images", "namespace"}
_CLUSTER_WIDE = {"Namespace"}
# Lists whose elements are merged by a key (Kubernetes' strategic merge patch). Other lists are replaced.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
}
# Kinds that Kubernetes itself does not define: all their lists are replaced (JSON merge patch).
_CUSTOM = ("serving.kserve.io/", "monitoring.coreos.com/")


def objects(path: Path) -> list[Object]:
    """The objects of a YAML file, whose parts begin with a line `---`."""
    parts = ("\n" + path.read_text()).split("\n---\n")
    return [msgspec.yaml.decode(part) for part in parts]


def render(folder: Path) -> list[Object]:
    """The objects of a kustomization."""
    found: list[Object] = []
    _apply(folder, found)
    return found


def named(found: list[Object]) -> dict[tuple[str, str], Object]:
    """The objects by kind and name."""
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def _apply(folder: Path, found: list[Object]) -> None:
    """Add a kustomization's objects to those that are there, and change them. A component changes the latter too."""
    (given,) = objects(folder / "kustomization.yaml")
    if unknown := given.keys() - _KNOWN:
        raise ValueError(f"{folder}: the tests cannot render {', '.join(sorted(unknown))}")
    for name in given.get("resources", ()):
        place = folder / name
        found += render(place) if place.is_dir() else objects(place)
    for name in given.get("components", ()):
        _apply(folder / name, found)
    for patch in given.get("patches", ()):
        _patch(folder / patch["path"], found)
    if "namespace" in given:
        for each in found:
            key = "name" if each["kind"] in _CLUSTER_WIDE else "namespace"
            each["metadata"][key] = given["namespace"]
    for image in given.get("images", ()):
        for container in (container for each in found for container in containers(each)):
            if container["image"] == image["name"]:
                container["image"] = f"{image['newName']}:{image['newTag']}"


def _patch(path: Path, found: list[Object]) -> None:
    for change in objects(path):
        target = named(found)[change["kind"], change["metadata"]["name"]]
        _merge(target, change, by_key=not change["apiVersion"].startswith(_CUSTOM))


def containers(within: Any) -> Iterator[Object]:  # noqa: ANN401 - YAML
    """All containers in an object, with those that run at the start."""
    if isinstance(within, dict):
        for key, value in within.items():
            if key in {"containers", "initContainers"}:
                yield from value
            else:
                yield from containers(value)
    elif isinstance(within, list):
        for value in within:
            yield from containers(value)


def _merge(target: Object, change: Object, *, by_key: bool) -> None:
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value, by_key=by_key)
        elif by_key and name in _KEYS and name in target:
            _merge_list(target[name], value, _KEYS[name])
        else:
            target[name] = value


def _merge_list(target: list[Object], change: list[Object], key: str) -> None:
    """Merge elements by their key. Those of the change come first, as with kustomize."""
    there = {each[key]: each for each in target}
    for each in change:
        if each[key] in there:
            _merge(there[each[key]], each, by_key=True)
    first = [there.get(each[key], each) for each in change]
    target[:] = [*first, *(each for each in target if each not in first)]
