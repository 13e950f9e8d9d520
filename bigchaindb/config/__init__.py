"""What an operator sets: one immutable value, from a JSON file with the environment over it.

Nothing is read on import.  `settings` is the table of all settings, `kinds` what values they take, `document` turns
JSON documents and environment variables into a `Config`, and `file` reads and writes the file.
"""

from __future__ import annotations

from bigchaindb.config.document import apply_environment, masked, parse, to_document
from bigchaindb.config.file import default_database_path, default_path, load, write, write_private
from bigchaindb.config.settings import (
    Config,
    Database,
    Election,
    KeyPair,
    Limits,
    Log,
    Server,
    Setting,
    new_config,
    reference,
)

__all__ = [
    "Config",
    "Database",
    "Election",
    "KeyPair",
    "Limits",
    "Log",
    "Server",
    "Setting",
    "apply_environment",
    "default_database_path",
    "default_path",
    "load",
    "masked",
    "new_config",
    "parse",
    "reference",
    "to_document",
    "write",
    "write_private",
]
