"""Token ids to text, one token at a time, never letting out half a character."""

from __future__ import annotations

from collections.abc import Callable, Sequence

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What a decoder writes for bytes that are not, or not yet, UTF-8."""


class Detokeniser:
    """Turns a stream of tokens into a stream of text.

    `decode` maps ids to text. The pieces joined equal `decode` of all the tokens at once (except
    that a decoder may take back a good character when bad bytes follow it; we do not). Text
    ending in a replacement character waits for the tokens that may complete it. Tokens are decoded
    together with those of the piece before them, since decoders of the SentencePiece family drop
    the leading space of what they are given.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._window: list[int] = []  # the tokens of the last piece, then the open ones
        self._closed = 0  # how many of them belong to the last piece
        self._emitted = ""  # the text of the window that went out

    def push(self, token: int) -> str:
        """Take one token, return the text that is now certain, perhaps empty."""
        self._window.append(token)
        text = self._decode(self._window)
        certain = text.rstrip(REPLACEMENT)
        piece = self._advance(certain)
        if piece and certain == text:
            # Nothing is open: this is a character boundary, so what came before the piece
            # cannot change how the rest decodes.
            self._window = self._window[self._closed :]
            self._closed = len(self._window)
            self._emitted = self._decode(self._window)
        return piece

    def flush(self) -> str:
        """Return what is still held back: the stream is over, unfinished characters included."""
        return self._advance(self._decode(self._window))

    def _advance(self, text: str) -> str:
        piece = text[len(self._emitted) :]
        if piece:
            self._emitted = text
        return piece
