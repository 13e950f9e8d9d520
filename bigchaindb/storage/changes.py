"""What somebody may wait for with `Storage.wait_for_change`."""

from __future__ import annotations

from typing import Final

__all__ = ["BACKLOG", "BLOCKS", "REJECTIONS", "VOTES", "decisions_of"]

BACKLOG: Final = "backlog"
"""Something more waits."""

BLOCKS: Final = "blocks"
"""There is another block."""

VOTES: Final = "votes"
"""A voting place was filled, or tried."""

REJECTIONS: Final = "rejections"
"""A node has rejected something."""


def decisions_of(node: str) -> str:
    """Return how the decisions of one node are called."""
    return f"decisions/{node}"
