"""The layers and functions of a module that the user names with --custom-objects.

Only this module is imported: a file can name classes of it, but no module.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from convert.errors import Refused
from convert.graph import Keras
from convert.layers import activations
from convert.untrusted.models.permitted import BUILT_IN, Permitted

OPTION = "--custom-objects"
_FRAMEWORKS = ("keras", "tf_keras")
_NONE: Mapping[str, Any] = MappingProxyType({})


class CustomObjects(NamedTuple):
    """A module's classes and functions, by each name under which a file can have them."""

    module: str = ""
    classes: Mapping[str, Any] = _NONE
    functions: Mapping[str, Any] = _NONE

    def permitted(self, *, fallback: bool) -> Permitted:
        """What files may contain."""
        return Permitted(fallback, frozenset(self.classes), frozenset(self.functions))

    def named(self, names: list[str], framework: Keras) -> dict[str, Any]:
        """The objects of these names. Raises Refused for a layer of the other framework."""
        found = {name: x for name, x in {**self.classes, **self.functions}.items() if name in names}
        for name, made in found.items():
            root = framework.__name__.partition(".")[0]
            roots = (
                {base.__module__.partition(".")[0] for base in inspect.getmro(made)} if name in self.classes else set()
            )
            if roots & set(_FRAMEWORKS) and root not in roots:
                other = next(iter(roots & set(_FRAMEWORKS)))
                raise Refused.at(
                    self.module,
                    f"{name} is a class of {other}, but the file needs one of {root}: `import {root}` in it",
                )
        return found


def load(module: str) -> CustomObjects:
    """Import the module, also from the current folder. Raises Refused, with its name, if that fails."""
    from convert.untrusted.models import keras_files  # noqa: PLC0415 - imports h5py, which other calls do not need

    keras_files.import_framework("keras")  # with its settings, before the module imports it without
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        imported = importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - the module can raise any error
        raise Refused.at(f"{OPTION} {module}", f"cannot be imported: {type(error).__name__}: {error}") from None
    classes: dict[str, Any] = {}
    functions: dict[str, Any] = {}
    for name, value in [*vars(imported).items(), *_registered()]:
        if not f"{getattr(value, '__module__', '')}.".startswith(f"{module}."):
            continue  # such as a class of Keras that it imports
        if inspect.isclass(value) and hasattr(value, "from_config") and name not in BUILT_IN:
            classes[name] = value
        elif inspect.isfunction(value) and not activations.is_known(name):
            functions[name] = value
    if not classes and not functions:
        raise Refused.at(f"{OPTION} {module}", "has no class with from_config, such as a layer, and no function")
    return CustomObjects(module, classes, functions)


def _registered() -> list[tuple[str, Any]]:
    """What register_keras_serializable has registered in either framework, as "package>name"."""
    found: list[tuple[str, Any]] = []
    for name in _FRAMEWORKS:
        framework = sys.modules.get(name)
        if framework is not None:
            found += framework.saving.get_custom_objects().items()
    return found
