"""`python -m benchmarks NAME...`: measures, and prints ratios that hold on any machine."""

from __future__ import annotations

import importlib
import sys
from typing import Final

NAMES: Final = ("conditions", "ledger")


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or say which there are."""
    if not arguments or not set(arguments) <= set(NAMES):
        sys.stderr.write(f"usage: python -m benchmarks {{{','.join(NAMES)}}}...\n")
        return 2
    for name in arguments:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
