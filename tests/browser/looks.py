"""The ways in which pages are looked at."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["DESKTOP", "MODES", "PHONE", "WIDTHS"]

DESKTOP: Final = {"width": 1120, "height": 760}
PHONE: Final = {"width": 390, "height": 844}
WIDTHS: Final = (320, 390, 820, 1120)
MODES: Final[dict[str, dict[str, Any]]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light", "has_touch": True, "is_mobile": True},
    "dark phone": {"viewport": PHONE, "color_scheme": "dark", "has_touch": True, "is_mobile": True},
}
