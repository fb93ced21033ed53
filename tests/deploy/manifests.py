"""The manifests of deploy/kubernetes, rendered, and questions about their objects that several tests ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import msgspec

from tests import kustomize
from tests.kustomize import Object
from tests.market import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "schemas"
OVERLAYS = ("overlays/single", "overlays/replicated")
KSERVE = ("kserve/base", "kserve/canary", "kserve/standard")
BUNDLES = ("bundles-claim", "bundles-init", "bundles-image")
# The oldest release that has all of it; image volumes need a later one (docs/kubernetes.md).
OLDEST, OLDEST_WITH_IMAGE_VOLUMES = "1.30", "1.33"
NEWEST = kubernetes_validate.latest_version()
_UNITS = {"Mi": 1 << 20, "Gi": 1 << 30, "": 1}


@cache
def rendered(name: str) -> tuple[Object, ...]:
    """The objects of a kustomization below deploy/kubernetes."""
    return tuple(kustomize.render(KUBERNETES / name))


def composed(folder: Path, *components: str) -> list[Object]:
    """The objects of the base with some components."""
    given = {
        "resources": [str(KUBERNETES / "base")],
        "components": [str(KUBERNETES / "components" / name) for name in components],
        "namespace": "reversal",
    }
    (folder / "kustomization.yaml").write_bytes(msgspec.yaml.encode(given))
    return kustomize.render(folder)


def stateful_set(found: tuple[Object, ...] | list[Object]) -> Object:
    return kustomize.named(list(found))["StatefulSet", "reversal"]


def problem(found: Object, version: str = NEWEST) -> str | None:
    """What the published schema of an object says against it."""
    vendored = SCHEMAS / f"{found['kind']}.json"
    if vendored.exists():
        error = next(validator(vendored).iter_errors(found), None)
        return None if error is None else f"{list(error.instance_path)}: {error.message}"
    return _problem_of_kubernetes(msgspec.json.encode(found), version)


@cache  # the package reads a megabyte of schemas for each object
def _problem_of_kubernetes(found: bytes, version: str) -> str | None:
    try:
        kubernetes_validate.validate(msgspec.json.decode(found), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error)
    return None


@cache
def validator(schema: Path) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(msgspec.json.decode(schema.read_bytes()))


def pods(found: tuple[Object, ...] | list[Object]) -> Iterator[Object]:
    """The specification of each pod: those of StatefulSets, and what KServe makes pods from."""
    for each in found:
        if each["kind"] == "StatefulSet":
            yield each["spec"]["template"]["spec"]
        elif each["kind"] == "ServingRuntime":
            yield each["spec"]


def servers(found: tuple[Object, ...] | list[Object]) -> Iterator[tuple[Object, Object]]:
    """Each container that runs the server, with its pod."""
    for pod in pods(found):
        yield pod["containers"][0], pod


def environment(container: Object) -> dict[str, str]:
    """The variables of a container; those from a Secret by the Secret's name and key."""
    values: dict[str, str] = {}
    for each in container["env"]:
        values[each["name"]] = each["value"] if "value" in each else _secret(each["valueFrom"]["secretKeyRef"])
    return values


def _secret(reference: dict[str, str]) -> str:
    return f"{reference['name']}/{reference['key']}"


def size(text: str) -> int:
    """The bytes of a quantity."""
    found = re.fullmatch(r"(\d+)(Mi|Gi|)", text)
    assert found, text
    return int(found[1]) * _UNITS[found[2]]


def values_of(within: Any, key: str) -> Iterator[Any]:  # noqa: ANN401 - YAML
    """All values of a key, anywhere in an object."""
    if isinstance(within, dict):
        for name, value in within.items():
            if name == key:
                yield value
            yield from values_of(value, key)
    elif isinstance(within, (list, tuple)):
        for value in within:
            yield from values_of(value, key)
