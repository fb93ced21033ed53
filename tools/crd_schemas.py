"""Make the schemas that tests/deploy checks custom resources against, from published CustomResourceDefinitions.

Usage: python -m tools.crd_schemas FILE...
tests/deploy/schemas/README.md names the files. Each schema is that of one kind, without descriptions, without what a
cluster alone can check, and without the fields of `_KEPT`'s places that are not listed there. A field that the
definition does not know is refused, as `kubectl` does it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

FOLDER = Path(__file__).parents[1] / "tests" / "deploy" / "schemas"
_DROPPED = frozenset({"description", "default", "nullable"})
_PREDICTOR = frozenset({
    "annotations", "automountServiceAccountToken", "autoScaling", "canaryTrafficPercent", "containerConcurrency",
    "deploymentStrategy", "enableServiceLinks", "imagePullSecrets", "labels", "maxReplicas", "minReplicas", "model",
    "name", "scaleMetric", "scaleMetricType", "scaleTarget", "securityContext", "serviceAccountName",
    "terminationGracePeriodSeconds", "timeout", "tolerations", "topologySpreadConstraints",
})  # fmt: skip
# Pods in full are in these definitions many times, and make them two megabytes.
_KEPT = {
    ("InferenceService", "spec"): frozenset({"predictor", "canary"}),
    ("InferenceService", "spec.predictor"): _PREDICTOR,
    ("InferenceService", "spec.canary.predictor"): _PREDICTOR,
    ("ServingRuntime", "spec"): frozenset({
        "annotations", "containers", "disabled", "imagePullSecrets", "labels", "multiModel", "protocolVersions",
        "supportedModelFormats", "volumes",
    }),
}  # fmt: skip


def schema(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of the kind that a CustomResourceDefinition defines, in its stored version."""
    kind = definition["spec"]["names"]["kind"]
    (version,) = [each for each in definition["spec"]["versions"] if each["storage"]]
    found = _reduced(version["schema"]["openAPIV3Schema"], kind, ())
    found["properties"].pop("status", None)
    api = f"{definition['spec']['group']}/{version['name']}"
    found["properties"] |= {"apiVersion": {"const": api}, "kind": {"const": kind}}
    found["required"] = sorted({*found.get("required", ()), "apiVersion", "kind", "metadata"})
    return found


def _reduced(node: dict[str, Any], kind: str, place: tuple[str, ...]) -> dict[str, Any]:
    """A copy of a node, closed for unknown fields. `place`: the names of the properties that lead to it."""
    found = {key: value for key, value in node.items() if key not in _DROPPED and not key.startswith("x-")}
    if "properties" in node:
        kept = _KEPT.get((kind, ".".join(place)), node["properties"].keys())
        found["properties"] = {
            name: _reduced(value, kind, (*place, name)) for name, value in node["properties"].items() if name in kept
        }
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            found["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            found[key] = _reduced(node[key], kind, place)
    return found


def main(files: Sequence[str]) -> None:
    """Write the schema of each file."""
    for file in files:
        definition = msgspec.yaml.decode(Path(file).read_bytes())
        target = FOLDER / f"{definition['spec']['names']['kind']}.json"
        target.write_bytes(msgspec.json.encode(schema(definition), order="sorted") + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
