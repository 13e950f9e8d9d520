"""`python -m bigchaindb.web` is the web server process; the supervisor starts it."""

from __future__ import annotations

import sys

from bigchaindb.web.server import main

if __name__ == "__main__":
    sys.exit(main())
