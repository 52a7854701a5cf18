"""What the OpenAPI document says of the admin endpoints beside their docstrings."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from pydantic import BaseModel

from cachemw.admin.category_models import CategoriesResult
from cachemw.admin.labels import LabelLine
from cachemw.admin.media import LINES
from cachemw.admin.models import (
    DeleteResult,
    Entry,
    EntrySummary,
    ErrorBody,
    ImportResult,
    LabelsResult,
    PurgeRequest,
    PurgeResult,
    StatsResult,
)
from cachemw.admin.wire import EntryLine

Described = dict[str, Any]


def _error(what: str) -> Described:
    return {"model": ErrorBody, "description": what}


def _schema(model: type[BaseModel]) -> Described:
    """Return a schema with its definitions in their places: those parts are in no component."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(node: Any) -> Any:
        if isinstance(node, list):
            return [inlined(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return inlined(definitions[node["$ref"].rpartition("/")[2]])
        return {name: inlined(each) for name, each in node.items()}

    described: Described = inlined(schema)
    return described


def _body(media_type: str, model: type[BaseModel]) -> Described:
    """Describe a body that the endpoint reads by itself, bounded, and not through FastAPI."""
    return {"requestBody": {"required": True, "content": {media_type: {"schema": _schema(model)}}}}


def _lines(operation: str, summary: str, model: type[BaseModel]) -> Described:
    """Describe an endpoint that streams lines; the schema is that of one line."""
    content = {LINES: {"schema": _schema(model)}}
    return {
        "operation_id": operation,
        "summary": summary,
        "response_class": Response,
        "response_model": None,
        "response_description": "A line for each entry.",
        "openapi_extra": {"responses": {"200": {"content": content}}},
    }


def _json(operation: str, summary: str, model: type[BaseModel], **more: Any) -> Described:
    return {"operation_id": operation, "summary": summary, "response_model": model, **more}


_ABSENT: dict[int | str, Described] = {404: _error("There is no such entry.")}

ERRORS: dict[int | str, Described] = {
    400: _error("A field or a line is wrong; `param` names it."),
    401: _error("No admin token, or a wrong one."),
    403: _error("No admin token is configured."),
    503: _error("The store does not answer."),
    "default": _error("OpenAI's error object."),
}
STATS = _json("cache_stats", "Size of the store", StatsResult)
CATEGORIES = _json("cache_categories", "What is known of each category", CategoriesResult)
LISTING = _lines("list_entries", "List entries", EntrySummary)
GET = _json("get_entry", "One entry", Entry, responses=_ABSENT)
DELETE = _json("delete_entry", "Remove one entry", DeleteResult, responses=_ABSENT)
PURGE = _json(
    "purge_entries",
    "Remove entries by condition",
    PurgeResult,
    responses={413: _error("The body is too large.")},
    openapi_extra=_body("application/json", PurgeRequest),
)
EXPORT = _lines("export_entries", "Export entries", EntryLine)
IMPORT = _json(
    "import_entries", "Import entries", ImportResult, openapi_extra=_body(LINES, EntryLine)
)
LABELS = _json(
    "import_labels",
    "Import labels made offline",
    LabelsResult,
    openapi_extra=_body(LINES, LabelLine),
)
