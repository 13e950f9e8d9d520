"""Elements of SVG, well formed whatever goes into them.

Invariants:

- Text and attributes are escaped here and nowhere else; only what `element` returned goes in unescaped.
- No `style` and no handlers: the pages' Content-Security-Policy allows neither, so looks are a matter of classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["element", "number", "path", "picture", "text"]

_DECIMALS: Final = 2


def number(value: float) -> str:
    """Return a coordinate: two decimals at the most, none where it is whole."""
    return f"{round(value, _DECIMALS):.{_DECIMALS}f}".rstrip("0").rstrip(".")


def element(name: str, attributes: Mapping[str, str | float], children: Iterable[str] = ()) -> Markup:
    """Return an element; children that are not `Markup` become text."""
    written = "".join(
        f' {key}="{escape(value) if isinstance(value, str) else number(value)}"' for key, value in attributes.items()
    )
    inside = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704 - every part of it was escaped just now


def text(content: str, x: float, y: float, css: str, **attributes: str) -> Markup:
    """Return a line of text that begins (or as `text-anchor` says) at a point."""
    more = {key.replace("_", "-"): value for key, value in attributes.items()}
    return element("text", {"x": x, "y": y, "class": css, **more}, [content])


def path(data: str, css: str, **attributes: str) -> Markup:
    """Return a path."""
    return element("path", {"d": data, "class": css, **attributes})


def picture(width: float, height: float, css: str, children: Iterable[str], **attributes: str) -> Markup:
    """Return a whole drawing; `attributes` say how it is told to those who do not see it."""
    more = {key.replace("_", "-"): value for key, value in attributes.items()}
    view_box = f"0 0 {number(width)} {number(height)}"
    return element("svg", {"class": css, "viewBox": view_box, "width": width, "height": height, **more}, children)
