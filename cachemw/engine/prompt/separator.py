"""Passages for clients that cannot send documents: a separator string inside the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cachemw.engine.prompt.segments import Prompt, Segment
from cachemw.errors import BadRequest

Encode = Callable[[str], Sequence[int]]


def assemble(pieces: Sequence[str], encode: Encode, *, first: Encode, param: str) -> Prompt:
    """Return `[prefix][passage]...[question]`, each piece encoded alone; empty ones are left out.

    `first` encodes the first piece (it may add a BOS). All but the last are reusable. Raises
    `BadRequest` naming `param` when there is no question. Own design.
    """
    tokens = [tuple((encode if at else first)(piece)) for at, piece in enumerate(pieces)]
    if not tokens[-1]:
        raise BadRequest("no question follows the last passage", param=param)
    before = tuple(Segment(part, reusable=True) for part in tokens[:-1] if part)
    return Prompt((*before, Segment(tokens[-1], reusable=False)))


def cut_text(text: str, separator: str | None, encode: Encode, *, first: Encode) -> Prompt:
    """Return a completion's prompt, cut at every `separator`; without one it is plain."""
    pieces = text.split(separator) if separator else [text]
    return assemble(pieces, encode, first=first, param="prompt")
