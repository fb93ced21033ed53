"""Options of the command that decide how the network of each stage is converted."""

from __future__ import annotations

from typing import NamedTuple

from convert.networks.custom_objects import CustomObjects
from convert.untrusted.records import KerasFile


class Options(NamedTuple):
    """fallback: whether tf2onnx may convert what the table of layers does not have. custom: the user's own classes."""

    fallback: bool = True
    custom: CustomObjects = CustomObjects()

    def notes(self, file: KerasFile) -> list[str]:
        """What the report says of the user's code in this file."""
        used = ", ".join(file.model.custom)
        return [f"code of {self.custom.module} took part: {used}"] if used else []

    def tools(self, file: KerasFile) -> dict[str, str]:
        """What the manifest says of it among the tools."""
        return {"custom_objects": self.custom.module} if file.model.custom else {}
