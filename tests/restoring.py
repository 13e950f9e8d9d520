"""Puts back what a test changes in its own process."""

from __future__ import annotations

import gc
import logging
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["garbage_collection_restored", "ignore", "logging_restored", "signals_restored"]


@contextmanager
def logging_restored() -> Iterator[None]:
    """Whatever is set up for the package's log ends here."""
    logger = logging.getLogger("bigchaindb")
    handlers, level, propagate = logger.handlers, logger.level, logger.propagate
    try:
        yield
    finally:
        for handler in logger.handlers:
            handler.close()
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def ignore(*_: object) -> None:
    """Let a signal that comes too late end nothing."""


@contextmanager
def signals_restored() -> Iterator[None]:
    """SIGTERM and SIGINT do nothing but what is set up for them meanwhile."""
    before = {number: signal.signal(number, ignore) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def garbage_collection_restored() -> Iterator[None]:
    """Whatever is frozen thaws, and thresholds are what they were."""
    thresholds = gc.get_threshold()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
