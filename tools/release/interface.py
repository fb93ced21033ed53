"""What a release promises to clients and operators, and what of it a later one breaks. See docs/versions.md.

python -m tools.release.interface     writes interface.json, at a release
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.bundles.manifest import FORMAT_VERSION
from core.store.sql.schema import MIGRATIONS
from server.api.openapi.document import document
from server.settings import SETTINGS
from tools.release.steps import ROOT, StepFailed
from tools.release.versions import Section, sections, version_of

FILE = Path(__file__).parent / "interface.json"
_REF = "#/components/schemas/"
_KINDS = ("string", "integer", "number", "boolean", "null", "array", "object")


def present() -> dict[str, Any]:
    """The interface of the code that runs."""
    described = json.loads(document(tokens=True))
    schemas = described["components"]["schemas"]
    calls: dict[str, Any] = {}
    sides: dict[str, set[str]] = {"requests": set(), "answers": set()}
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            if method not in ("get", "post", "put", "delete", "head", "patch"):
                continue
            body = set(_refs(call.get("requestBody", {})))
            answers = {status: set(_refs(answer)) for status, answer in call["responses"].items() if status < "300"}
            sides["requests"] |= body
            sides["answers"] |= set().union(*answers.values())
            calls[f"{method.upper()} {path}"] = {
                "body": sorted(body),
                "answers": sorted(set().union(*answers.values())),
            }
    return {
        "version": version_of(),
        "calls": calls,
        **{side: _fields(names, schemas) for side, names in sides.items()},
        "codes": sorted(set(_values(schemas["Failure"]["properties"]["code"]))),
        "settings": {each.variable: str(each.default) for each in SETTINGS},
        "bundle_format": FORMAT_VERSION,
        "store_steps": len(MIGRATIONS),
    }


def _refs(schema: object) -> Iterator[str]:
    """The names of the components that a schema uses."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and value.startswith(_REF):
                yield value.removeprefix(_REF)
            else:
                yield from _refs(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _refs(value)


def _values(schema: object) -> Iterator[str]:
    """The types, the constants and the components that a value may be."""
    if isinstance(schema, dict):
        kinds = schema.get("type", [])
        yield from ([kinds] if isinstance(kinds, str) else kinds)
        yield from (json.dumps(each) for each in schema.get("enum", []))
        if "const" in schema:
            yield json.dumps(schema["const"])
        if "$ref" in schema:
            yield schema["$ref"].removeprefix(_REF)
        for key in ("anyOf", "oneOf", "items", "additionalProperties", "prefixItems"):
            parts = schema.get(key, [])
            for part in parts if isinstance(parts, list) else [parts]:
                yield from _values(part)


def _fields(names: set[str], schemas: dict[str, Any]) -> dict[str, Any]:
    """Each field of these components and of those in them: what it may be, and whether it must be there."""
    waiting, found = sorted(names), {}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        required = schemas[name].get("required", [])
        fields = schemas[name].get("properties", {})
        found[name] = {
            field: {"is": sorted(set(_values(schema))), "required": field in required}
            for field, schema in fields.items()
        }
        waiting += _refs(schemas[name])
    return dict(sorted(found.items()))


def broken(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What a client or an operator of the old release would have to change."""
    found = [f"{call} is gone" for call in old["calls"] if call not in new["calls"]]
    for call, uses in old["calls"].items():
        for side in ("body", "answers"):
            lost = set(uses[side]) - set(new["calls"].get(call, uses)[side])
            found += [f"{call} has another {side.removesuffix('s')} than {name}" for name in sorted(lost)]
    for side in ("requests", "answers"):
        for name, fields in old[side].items():
            found += _broken(name, fields, new[side].get(name, {}), is_answer=side == "answers")
    found += [f"the code {code} is gone" for code in old["codes"] if code not in new["codes"]]
    for name, default in old["settings"].items():
        if name not in new["settings"]:
            found.append(f"the setting {name} is gone")
        elif new["settings"][name] != default:
            found.append(f"the setting {name} has another default")
    return found


def _broken(name: str, old: dict[str, Any], new: dict[str, Any], *, is_answer: bool) -> Iterator[str]:
    for field, was in old.items():
        place = f"{name}.{field}"
        now = new.get(field)
        if now is None:
            yield f"{place} is gone"
            continue
        # An answer may have further words, which clients must expect, but no other type. A request loses nothing.
        changed = set(now["is"]) - set(was["is"]) if is_answer else set(was["is"]) - set(now["is"])
        changed = {each for each in changed if not is_answer or each in _KINDS}
        if changed:
            yield f"{place} {'may be' if is_answer else 'may no longer be'} {', '.join(sorted(changed))}"
        if was["required"] > now["required"] if is_answer else was["required"] < now["required"]:
            yield f"{place} {'may be absent' if is_answer else 'must be there'}"
    if not is_answer:
        yield from (f"{name}.{field} must be there" for field in new.keys() - old.keys() if new[field]["required"])


def check(root: Path = ROOT, file: Path = FILE) -> str:
    """What is broken since the last release is allowed by the version and was announced. Raises StepFailed."""
    if not file.exists():
        return "there is no earlier release to keep promises of"
    old, new = json.loads(file.read_bytes()), present()
    found = broken(old, new)
    changelog = sections((root / "CHANGELOG.md").read_text())
    allowed(old, new, found, changelog)
    return f"{len(found)} promises of {old['version']} broken" if found else f"all promises of {old['version']} kept"


def allowed(old: dict[str, Any], new: dict[str, Any], found: list[str], changelog: list[Section]) -> None:
    """Raise StepFailed if a release with this version may not have these changes."""
    before, now = (tuple(map(int, each["version"].split("."))) for each in (old, new))
    first = 1 if before[0] == 0 else 0  # below 1.0.0 the second number counts as the first
    is_major = now[: first + 1] > before[: first + 1]
    is_patch = now[:2] == before[:2]
    if found and not is_major:
        raise StepFailed(f"{new['version']} may not break promises of {old['version']}: {'; '.join(found)}")
    added = [each.replace(" is gone", " is new") for each in broken(new, old) if each.endswith(" is gone")]
    if is_patch and added:
        raise StepFailed(f"{new['version']} may not add anything: it is a patch release, and {'; '.join(added)}")
    kept = all(new[name] == old[name] for name in ("bundle_format", "store_steps"))
    if is_patch and not kept:
        raise StepFailed(f"{new['version']} may not change the format of bundles or the store: it is a patch release")
    said = " ".join(
        entry for section in changelog if section.day and section.version != new["version"]
        for entry in section.entries.get("Deprecated", [])
    )  # fmt: skip
    silent = [each for each in found if each.endswith(" is gone") and not _announced(each, said)]
    if silent:
        raise StepFailed(f"not deprecated in an earlier release: {'; '.join(silent)}")


def _announced(gone: str, said: str) -> bool:
    name = gone.removeprefix("the code ").removeprefix("the setting ").removesuffix(" is gone")
    return re.search(rf"`{re.escape(name.split('.')[-1])}`", said) is not None


if __name__ == "__main__":
    FILE.write_text(json.dumps(present(), indent=1, sort_keys=True) + "\n")
