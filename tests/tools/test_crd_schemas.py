from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from tools import crd_schemas


def definition() -> dict[str, Any]:
    spec = {
        "type": "object",
        "description": "what is wanted",
        "required": ["count"],
        "x-kubernetes-validations": [{"rule": "self.count > 0"}],
        "properties": {
            "count": {"type": "integer", "description": "how many", "default": 1},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {}},
            "labels": {"type": "object", "additionalProperties": {"type": "string", "description": "a label"}},
            "parts": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        },
    }
    root = {"type": "object", "properties": {"metadata": {"type": "object"}, "spec": spec, "status": {}}}
    versions = [
        {"name": "v1alpha1", "storage": False, "schema": {"openAPIV3Schema": {}}},
        {"name": "v1", "storage": True, "schema": {"openAPIV3Schema": root}},
    ]
    return {"spec": {"group": "example.org", "names": {"kind": "Thing"}, "versions": versions}}


def thing(**spec: object) -> dict[str, Any]:
    return {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "valid"),
    [
        ({"count": 1, "labels": {"a": "b"}, "free": {"any": 1}, "parts": [{"name": "x"}]}, True),
        ({}, False),
        ({"count": "1"}, False),
        ({"count": 1, "mistyped": 1}, False),
        ({"count": 1, "labels": {"a": 1}}, False),
        ({"count": 1, "parts": [{"nam": "x"}]}, False),
    ],
)
def test_a_schema_refuses_what_the_definition_does(spec: dict[str, Any], *, valid: bool) -> None:
    found = jsonschema_rs.Draft202012Validator(crd_schemas.schema(definition()))
    assert found.is_valid(thing(**spec)) is valid


def test_a_schema_is_that_of_one_kind_and_release_of_its_api() -> None:
    found = jsonschema_rs.Draft202012Validator(crd_schemas.schema(definition()))
    assert not found.is_valid(thing(count=1) | {"apiVersion": "example.org/v1alpha1"})
    assert not found.is_valid(thing(count=1) | {"kind": "Other"})
    assert not found.is_valid(thing(count=1) | {"status": {}})


def test_descriptions_and_what_only_a_cluster_checks_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crd_schemas, "FOLDER", tmp_path)
    (tmp_path / "crd.yaml").write_bytes(msgspec.yaml.encode(definition()))
    crd_schemas.main([str(tmp_path / "crd.yaml")])
    text = (tmp_path / "Thing.json").read_text()
    assert json.loads(text) == crd_schemas.schema(definition())
    assert not [word for word in ("description", "default", "x-kubernetes") if word in text]


def test_the_committed_schemas_are_closed_and_their_origin_is_named() -> None:
    listed = (crd_schemas.FOLDER / "README.md").read_text()
    files = sorted(crd_schemas.FOLDER.glob("*.json"))
    assert [file.stem for file in files] == ["InferenceService", "PrometheusRule", "ServiceMonitor", "ServingRuntime"]
    for file in files:
        assert json.loads(file.read_bytes())["properties"]["spec"]["additionalProperties"] is False
        assert f"`{file.name}`" in listed
