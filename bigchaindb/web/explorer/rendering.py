"""Templates, and what all of them have at hand.

Invariants:

- Everything that goes into a template is escaped, but for what `svg` made; a name that is not there is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bigchaindb.version import __version__
from bigchaindb.web.explorer import texts
from bigchaindb.web.explorer.answers import StaticFile, read_static_files
from bigchaindb.web.explorer.drawing import Ballot
from bigchaindb.web.explorer.rows import owners_of
from bigchaindb.web.state import API

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["MOUNTED_AT", "Renderer"]

_HERE: Final = Path(__file__).parent
MOUNTED_AT: Final = "/explorer"


class Renderer:
    """Makes HTML.

    Attributes:
        files: the static files by name.
    """

    def __init__(self) -> None:
        """Load what is needed from beside this file."""
        self.files: dict[str, StaticFile] = read_static_files(_HERE / "static")
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(version=__version__, Ballot=Ballot)
        self._environment.filters.update(
            ago=texts.ago,
            clock=_clock,
            cut=texts.cut,
            owners=owners_of,
            short=texts.short,
            split_ids=texts.split_ids,
            stamp=_stamp,
            visible=texts.visible,
        )

    def base(self, request: Request) -> str:
        """Return where the explorer is, as whoever asks sees it: without a slash at the end."""
        return str(request.scope.get("root_path", "")).rstrip("/")

    def render(self, request: Request, template: str, **context: Any) -> str:
        """Return a template filled in."""
        base = self.base(request)
        static = {name: f"{base}/static/{name}?v={file.version}" for name, file in self.files.items()}
        api = base.removesuffix(MOUNTED_AT) + API
        return self._environment.get_template(template).render(base=base, static=static, api=api, **context)


def _stamp(timestamp: str) -> Markup:
    """Return a time in full."""
    return Markup('<time datetime="{}">{} <span class="zone">UTC</span></time>').format(
        texts.iso_time(timestamp), texts.plain_time(timestamp)
    )


def _clock(timestamp: str, now: float) -> Markup:
    """Return a time for a table: of what is of today, the time of day alone."""
    day, _, clock = texts.plain_time(timestamp).partition(", ")
    today = texts.plain_time(f"{now:.6f}").partition(", ")[0]
    before = "" if day == today else Markup('<span class="day">{},</span> ').format(day)
    return Markup('<time datetime="{}">{}{}</time>').format(texts.iso_time(timestamp), before, clock)
