"""What schemathesis could not make up by itself: transactions with good signatures, and ids of what there is.

It loads this module by its name (`hooks` in `schemathesis.toml`) in a process of its own; `KNOWN` says what there is.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any, Final

import schemathesis

KNOWN: Final = "BIGCHAINDB_TEST_KNOWN"
"""Environment variable: a JSON file with `ids`, values for parameters by name, and `transactions`, signed documents."""

_known: Final[dict[str, Any]] = json.loads(Path(os.environ[KNOWN]).read_text(encoding="utf-8"))
_SHARE: Final = 0.4


def _with_known(parameters: Any) -> Any:
    """Put what there is in the place of some of what was made up."""
    if isinstance(parameters, dict):
        for name, values in _known["ids"].items():
            if name in parameters and random.random() < _SHARE:
                parameters[name] = random.choice(values)
    return parameters


@schemathesis.hook
def map_path_parameters(_: Any, path_parameters: Any) -> Any:
    """Let paths lead to something."""
    return _with_known(path_parameters)


@schemathesis.hook
def map_query(_: Any, query: Any) -> Any:
    """Let queries find something."""
    return _with_known(query)


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Send something that is accepted."""
    path = context.operation.path
    if random.random() < _SHARE:
        if path.endswith("/transactions"):
            return random.choice(_known["transactions"])
        if path.endswith("/batch") and isinstance(body, list):
            return [*body, random.choice(_known["transactions"])]
    return body
