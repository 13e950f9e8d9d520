"""Programs to try out and to read: `python -m examples.NAME`."""
