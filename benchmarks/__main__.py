"""`python -m benchmarks NAME...`: measures, and prints ratios that hold on any machine."""

from __future__ import annotations

import importlib
import sys
from typing import Final

NAMES: Final = ("conditions", "ledger", "federation", "http", "soak")
LARGE: Final = "--large"


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or say which there are; `--large` is for those that know it."""
    large = LARGE in arguments
    names = [name for name in arguments if name != LARGE]
    if not names or not set(names) <= set(NAMES) or (large and names != ["federation"]):
        sys.stderr.write(f"usage: python -m benchmarks {{{','.join(NAMES)}}}...\n")
        sys.stderr.write("       python -m benchmarks federation --large\n")
        return 2
    for name in names:
        options = {"large": True} if large else {}
        importlib.import_module(f"benchmarks.{name}").main(**options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
