"""`POST /v1/completions`, the legacy text API, plain and streamed."""

from __future__ import annotations

from itertools import accumulate, chain, zip_longest

from loadtests.fake_upstream import sse
from loadtests.fake_upstream.answer import Choice
from loadtests.fake_upstream.call import Call, Endpoint, Json, usage


def plain(call: Call) -> Json:
    """Return a `text_completion` object."""
    choices = [
        _choice(call, choice, choice.pieces, finish=choice.finish) for choice in call.answer.choices
    ]
    completion = _envelope(call, choices)
    return completion if call.behaviour.no_usage else completion | {"usage": usage(call)}


def stream(call: Call) -> list[bytes]:
    """Return `text_completion` events; the choices take turns."""
    turns = zip_longest(*(_parts(call, choice) for choice in call.answer.choices))
    chunks = [_envelope(call, [part]) for part in chain.from_iterable(turns) if part is not None]
    if call.include_usage:
        chunks = [chunk | {"usage": None} for chunk in chunks]
        chunks.append(_envelope(call, []) | {"usage": usage(call)})
    return [*map(sse.data, chunks), sse.DONE]


def _envelope(call: Call, choices: list[Json]) -> Json:
    return {
        "id": f"cmpl-{call.ident}",
        "object": "text_completion",
        "created": call.created,
        "model": call.model,
        "system_fingerprint": "fp_fake",
        "choices": choices,
    }


def _parts(call: Call, choice: Choice) -> list[Json]:
    texts = [_choice(call, choice, (piece,), finish=None) for piece in choice.pieces]
    return [*texts, _choice(call, choice, (), finish=choice.finish)]


def _choice(call: Call, choice: Choice, pieces: tuple[str, ...], *, finish: str | None) -> Json:
    return {
        "index": choice.index,
        "text": "".join(pieces),
        "logprobs": _logprobs(call, pieces),
        "finish_reason": finish,
    }


def _logprobs(call: Call, pieces: tuple[str, ...]) -> Json | None:
    if not pieces or not (call.behaviour.logprobs or call.body.get("logprobs")):
        return None
    return {
        "tokens": list(pieces),
        "token_logprobs": [-0.125 * len(piece) for piece in pieces],
        "top_logprobs": [{piece: -0.125 * len(piece)} for piece in pieces],
        "text_offset": list(accumulate(map(len, pieces[:-1]), initial=0)),
    }


ENDPOINT = Endpoint("completions", {"model": (str,), "prompt": (str, list)}, plain, stream)
