"""How Sphinx builds the documentation: `sphinx-build -W docs docs/_build/html`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parent))

from reference import commands_markdown, settings_markdown

from bigchaindb import __version__

_BEFORE_NAPOLEON = 400  # its own is Sphinx's default, 500

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node
    from sphinx.application import Sphinx

project = "bigchaindb"
author = "the bigchaindb developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_theme_options = {"description": "A federated asset ledger", "fixed_sidebar": True, "page_width": "1080px"}
html_show_copyright = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = False


def _generated(markdown: Callable[[], str]) -> type[SphinxDirective]:
    """Return a directive that stands for Markdown made while building."""

    class Generated(SphinxDirective):
        def run(self) -> list[Node]:
            return self.parse_text_to_nodes(markdown(), allow_section_headings=True)

    return Generated


def _code_spans(*arguments: Any) -> None:
    """Let the code in our docstrings, between single backticks as in Markdown, be code in reStructuredText too."""
    lines = arguments[-1]
    lines[:] = re.sub("(?<!`)`([^`]+)`(?!`)", r"``\1``", "\n".join(lines)).split("\n")


def setup(app: Sphinx) -> None:
    """Tell Sphinx about the parts that are generated."""
    app.connect("autodoc-process-docstring", _code_spans, priority=_BEFORE_NAPOLEON)
    app.add_directive("settings-reference", _generated(settings_markdown))
    app.add_directive("commands-reference", _generated(commands_markdown))
