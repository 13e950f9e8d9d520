"""Logging: one line per event with time, level and process."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from bigchaindb.exceptions import ConfigurationError

if TYPE_CHECKING:
    from bigchaindb.config import Log

__all__ = ["set_up_logging"]


class _OneLine(logging.Formatter):
    """Escapes what cannot be printed, so that nothing that is logged can pass for another event, or move a cursor."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def set_up_logging(log: Log, process: str) -> None:
    """Log to standard error, or append to the configured file.

    Args:
        log: level and file.
        process: what to call this process.

    Raises:
        ConfigurationError: the file cannot be opened.
    """
    try:
        handler = logging.FileHandler(log.file, encoding="utf-8") if log.file else logging.StreamHandler()
    except OSError as error:
        raise ConfigurationError(
            f"log.file: {log.file} cannot be opened: {error.strerror}", field="log.file"
        ) from error
    name = f"{process}[{os.getpid()}]"
    handler.setFormatter(_OneLine(f"%(asctime)s.%(msecs)03dZ %(levelname)s {name} %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logger = logging.getLogger("bigchaindb")
    logger.handlers = [handler]
    logger.setLevel(log.level.upper())
    logger.propagate = False
