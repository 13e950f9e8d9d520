"""`python -m bigchaindb.pipeline ROLE` is a worker process; the supervisor starts it."""

from __future__ import annotations

import sys

from bigchaindb.pipeline.worker import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
