"""A federation on one machine: `python -m examples.federation --nodes 4`."""
