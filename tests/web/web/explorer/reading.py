"""Pages as a reader of HTML sees them: `read(html)`.

Reading fails where elements are not nested as they were opened, an attribute or an id is there twice, or something
stands inline that the pages' Content-Security-Policy forbids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

__all__ = ["Page", "read"]

_VOID: Final = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
_NOT_READ: Final = {"script", "style", "title"}


@dataclass
class Page:
    """A page, read.

    Attributes:
        title: of the document, or empty.
        text: all that is read out, spaces made one.
        links: where its links go, in their order.
        ids: of its elements.
        tags: names of all elements, in their order.
        attributes: all attributes of all elements, as (element, name, value).
    """

    title: str = ""
    text: str = ""
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, attrs)

    def _begin(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        assert "style" not in names, f"<{tag}> has a style of its own"
        assert not [name for name in names if name.startswith("on")], f"<{tag}> has a handler: {names}"
        assert tag != "style", "a style sheet stands inline"
        assert tag != "script" or "src" in names, "a script stands inline"
        self.page.tags.append(tag)
        for name, value in attrs:
            self.page.attributes.append((tag, name, value or ""))
            if name == "href" and tag == "a":
                self.page.links.append(value or "")
            if name == "id":
                assert value not in self.page.ids, f"the id {value} is there twice"
                self.page.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> ends nothing"
        begun = self.open.pop()
        assert begun == tag, f"</{tag}> ends <{begun}>"

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if "title" in self.open and "svg" not in self.open:
            self.page.title += data
        if inside not in _NOT_READ:
            self.texts.append(data)


def read(html: str) -> Page:
    """Read a page or a part of one."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open, f"never ended: {reader.open}"
    reader.page.text = " ".join(" ".join(reader.texts).split())
    return reader.page
