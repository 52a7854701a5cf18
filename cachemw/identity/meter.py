"""What an upstream's answer has cost, read off its body as it passes."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from cachemw.identity.budgets import Budget
from cachemw.identity.caller import Caller
from cachemw.upstreams.base import UpstreamReply, UpstreamRequest

# All of OpenAI's APIs report it, on the last event of a stream and near the end of a plain answer.
# Inside of a text its quotes are escaped, so no text that a model was made to write passes for it.
_TOTAL = re.compile(rb'"total_tokens"\s{0,8}:\s{0,8}(\d{1,12})')
_OVERLAP = 64  # longer than any match, so that none is lost between two chunks
_BYTES_PER_TOKEN = 4


class TokenMeter:
    """Finds the greatest total in a body that comes in chunks, in constant memory."""

    def __init__(self) -> None:
        self._tail = b""
        self.total = 0
        self.size = 0
        self.events = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk."""
        window = self._tail + chunk
        for match in _TOTAL.finditer(window):
            self.total = max(self.total, int(match[1]))
        self._tail = window[-_OVERLAP:]
        self.size += len(chunk)
        self.events += chunk.count(b"data:")

    def estimate(self, asked: int, *, is_stream: bool) -> int:
        """Guess the tokens of a body that does not say: `asked` bytes and what came back.

        Four bytes are about a token, and so is an event of a stream (own design).
        """
        answered = self.events if is_stream else self.size // _BYTES_PER_TOKEN
        return asked // _BYTES_PER_TOKEN + answered


def metered(call: UpstreamRequest, reply: UpstreamReply, caller: Caller) -> UpstreamReply:
    """Return the reply with the caller charged at the end of its body, however it ends.

    Errors cost nothing. An answer of a cached endpoint that does not say what it cost is
    estimated, or else a key could be used past its budget; what is passed through raw may have no
    tokens at all.
    """
    tokens = None if caller.account is None else caller.account.tokens
    if tokens is None or not 200 <= reply.status < 300:
        return reply
    asked = len(call.body) if isinstance(call.body, bytes) and not call.raw else None
    return replace(reply, chunks=_charged(reply, tokens, asked))


async def _charged(
    reply: UpstreamReply, tokens: Budget, asked: int | None
) -> AsyncGenerator[bytes, None]:
    meter = TokenMeter()
    is_stream = reply.header(b"content-type").lower().startswith(b"text/event-stream")
    try:
        async with aclosing(reply.chunks) as chunks:
            async for chunk in chunks:
                meter.feed(chunk)
                yield chunk
    finally:
        guess = 0 if asked is None else meter.estimate(asked, is_stream=is_stream)
        tokens.spend(meter.total or guess)
