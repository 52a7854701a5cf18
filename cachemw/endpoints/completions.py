"""`POST /v1/completions`, the legacy text endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from cachemw.endpoints.base import (
    SSE_DONE,
    Collector,
    Endpoint,
    Fresh,
    Json,
    Question,
    Verdict,
    pieces,
    sse,
)
from cachemw.endpoints.choices import ChoicesCollector, choices_verdict
from cachemw.errors import BadRequest


def _choices(params: Json) -> int:
    """One choice for each prompt and each of `n`."""
    prompt, n = params.get("prompt"), params.get("n")
    several = isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list)
    return (len(prompt) if several else 1) * (n if isinstance(n, int) else 1)  # type: ignore[arg-type]


class Completions(Endpoint):
    """Text completions: exact only, because a text to be continued is not a question."""

    name = "completions"
    path = "/v1/completions"
    id_prefix = "cmpl-"
    usage_on_request = True

    def check(self, params: Json) -> None:
        """`prompt`, where given, must be a string or an array."""
        prompt = params.get("prompt")
        if prompt is not None and not isinstance(prompt, str | list):
            raise BadRequest("'prompt' must be a string or an array.", param="prompt")

    def question(self, params: Json) -> Question | None:  # noqa: ARG002
        """Return None always: see the class."""
        return None

    def verdict(self, answer: Json) -> Verdict:
        """Judge by the finish reasons."""
        return choices_verdict(answer, holds=("text", str))

    def collector(self, params: Json) -> Collector:
        """Collect `text`s."""
        return ChoicesCollector("text_completion", _choices(params))

    def events(self, answer: Json, fresh: Fresh, *, usage: bool, piece: int) -> Iterator[bytes]:
        """Replay texts in pieces; one with logprobs (arrays over all of it) goes whole."""
        kept = {k: v for k, v in answer.items() if k not in ("choices", "usage")}
        head = {"id": f"{self.id_prefix}{fresh.token}", "created": fresh.created, **kept}
        blank: Json = {"usage": None} if usage else {}
        for choice in answer["choices"]:
            text = choice["text"]
            parts = [text] if choice.get("logprobs") else list(pieces(text, piece))
            for number, part in enumerate(parts):
                logprobs = choice.get("logprobs") if number == 0 else None
                chunk = {**choice, "text": part, "logprobs": logprobs, "finish_reason": None}
                yield sse({**head, "choices": [chunk], **blank})
            last = {**choice, "text": "", "logprobs": None}
            yield sse({**head, "choices": [last], **blank})
        if usage and answer.get("usage") is not None:
            yield sse({**head, "choices": [], "usage": answer["usage"]})
        yield SSE_DONE
