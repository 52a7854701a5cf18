"""`POST /v1/embeddings`."""

from __future__ import annotations

from collections.abc import Iterator

from cachemw.endpoints.base import (
    Collector,
    Endpoint,
    Fresh,
    Json,
    Question,
    Verdict,
    usage_tokens,
)
from cachemw.errors import BadRequest, UpstreamBroken


class Embeddings(Endpoint):
    """Embeddings: exact only, never streamed, and the answer carries no id."""

    name = "embeddings"
    path = "/v1/embeddings"
    id_prefix = None
    streams = False

    def check(self, params: Json) -> None:
        """`input` must be a string or a non-empty array; `stream` has no meaning here."""
        value = params.get("input")
        if not isinstance(value, str | list) or value == []:
            raise BadRequest("'input' must be a string or a non-empty array.", param="input")
        if params.get("stream"):
            raise BadRequest("'stream' is not supported for embeddings.", param="stream")

    def question(self, params: Json) -> Question | None:  # noqa: ARG002
        """Return None always: the embedding of another text is another embedding."""
        return None

    def verdict(self, answer: Json) -> Verdict:
        """Complete when there is data."""
        prompt, _ = usage_tokens(answer, "prompt_tokens", "total_tokens")
        complete = isinstance(answer.get("data"), list) and bool(answer["data"])
        return Verdict(complete, False, False, prompt, 0)

    def collector(self, params: Json) -> Collector:  # noqa: ARG002
        """Embeddings do not stream (`check` has refused it): it is the upstream that is wrong."""
        raise UpstreamBroken("The upstream answered with a stream that nobody asked for.")

    def events(self, answer: Json, fresh: Fresh, *, usage: bool, piece: int) -> Iterator[bytes]:  # noqa: ARG002
        """Embeddings do not stream (`check` has refused it)."""
        raise BadRequest("'stream' is not supported for embeddings.", param="stream")

    def render(self, body: bytes, fresh: Fresh) -> bytes:  # noqa: ARG002
        """Return the stored form: there is nothing to renew."""
        return body
