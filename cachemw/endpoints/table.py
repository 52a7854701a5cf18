"""All cached endpoints, by path."""

from __future__ import annotations

from cachemw.endpoints.base import Endpoint
from cachemw.endpoints.chat import ChatCompletions
from cachemw.endpoints.completions import Completions
from cachemw.endpoints.embeddings import Embeddings
from cachemw.endpoints.responses import Responses


def endpoints() -> dict[str, Endpoint]:
    """Return path -> endpoint. Adding one takes a file and a line here."""
    known = (ChatCompletions(), Completions(), Embeddings(), Responses())
    return {endpoint.path: endpoint for endpoint in known}
