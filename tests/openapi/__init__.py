"""The API against its own document, by schemathesis."""
