"""The OpenAPI document: what FastAPI finds out by itself, and what it cannot know."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.routing import compile_path

from bigchaindb.web.schemas import NewAsset, ProblemBody, RivalProblemBody, TransactionBody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

__all__ = ["DESCRIPTION", "Operations", "describe"]

DESCRIPTION: Final = """
A node of a federated asset ledger.

Transactions are signed by their owners, so anybody may send one; only nodes of the federation create assets. Errors are
`application/problem+json`: `status`, `error` (for programs), `message` (for people) and `field` (what is at fault).
Lists come in pages: `next` of one page is `cursor` of the next, and null at the end.
""".strip()

_MODELS: Final = (TransactionBody, NewAsset, ProblemBody, RivalProblemBody)
_METHODS: Final = ("get", "post")
_VALIDATION: Final = "validation"
_UNUSED: Final = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document of an app."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    _, own = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    schemas.update(own["$defs"])
    for name in _UNUSED:
        schemas.pop(name, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "The node's `server.api_token`, where it has one."}
    }
    for operations in document["paths"].values():
        for method in _METHODS:
            if method in operations:
                _correct(operations[method])
                _summarise(operations[method])
    return document


def _correct(operation: dict[str, Any]) -> None:
    """Take back what FastAPI says of errors in parameters: here they are problems with status 400."""
    responses = operation["responses"]
    unprocessable = str(int(HTTPStatus.UNPROCESSABLE_ENTITY))
    if "HTTPValidationError" in str(responses.get(unprocessable)):
        del responses[unprocessable]


def _summarise(operation: dict[str, Any]) -> None:
    """Take the first sentence of a handler's docstring for the summary, in place of the name of the handler."""
    summary, _, rest = operation.pop("description").partition("\n\n")
    operation["summary"] = " ".join(summary.split()).removesuffix(".")
    if rest:
        operation["description"] = rest


class Operations:
    """What a document tells of, by path."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Take over a document."""
        # A path without parameters counts before one with: it is not what could stand in its place.
        paths = sorted(document["paths"].items(), key=lambda item: item[0].count("{"))
        self._paths = [
            (
                compile_path(template)[0],
                {
                    method.upper(): frozenset(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
                    for method, operation in operations.items()
                    if method in _METHODS
                },
            )
            for template, operations in paths
        ]

    def _at(self, path: str) -> dict[str, frozenset[str]]:
        return next((found for pattern, found in self._paths if pattern.match(path)), {})

    def methods(self, path: str) -> list[str]:
        """Return the HTTP methods that are possible at a path; HEAD is where GET is (`bigchaindb.web.heads`)."""
        methods = set(self._at(path))
        return sorted(methods | {"HEAD"} if "GET" in methods else methods)

    def parameters(self, method: str, path: str) -> frozenset[str] | None:
        """Return the names of the query parameters of an operation; None where there is no such operation."""
        return self._at(path).get(method)
