"""HTML and SVG elements in which all text is escaped."""

from __future__ import annotations

import re
from html import escape

# Characters that XML has no place for; HTML parsers drop or replace them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Markup(str):
    """Text that is markup already. Only `element` makes it."""

    __slots__ = ()


def element(tag: str, /, *children: str, **attributes: str) -> Markup:
    """An element. Children that are no Markup are escaped, and so are the values of attributes.

    `class_` stands for class and `aria_label` for aria-label. The result is well-formed XML too.
    """
    given = "".join(f' {_attribute(key)}="{_escaped(value)}"' for key, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{given}/>")
    inner = "".join(child if isinstance(child, Markup) else _escaped(child) for child in children)
    return Markup(f"<{tag}{given}>{inner}</{tag}>")


_VOID = frozenset(("meta", "br", "line", "polygon", "polyline", "circle"))


def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _escaped(text: str) -> str:
    return escape(_CONTROL.sub("\ufffd", text), quote=True)
