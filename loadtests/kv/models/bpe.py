"""The tokenizer of llama2.c: a SentencePiece BPE vocabulary with scores, bytes as a last resort."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Sequence
from pathlib import Path

BOS = 1
_FIRST_BYTE = 3
"""Ids 3 to 258 are the bytes 0 to 255."""
_WORDS = re.compile(" ?[^ ]*")


class Bpe:
    """Text to ids and back, as llama2.c's `encode` and `decode` do it."""

    def __init__(self, pieces: Sequence[bytes], scores: Sequence[float]) -> None:
        self.pieces = tuple(pieces)
        # What stands below the bytes are control tokens, which text must not spell.
        first = _FIRST_BYTE + 256
        self._rank = {
            piece: (score, number + first)
            for number, (piece, score) in enumerate(
                zip(pieces[first:], scores[first:], strict=True)
            )
        }
        if any(b" " in piece[1:] for piece in pieces[first:]):
            raise ValueError("a piece reaches over a space: words cannot be encoded one by one")

    @classmethod
    def read(cls, path: Path) -> Bpe:
        """Read a `tok*.bin`: the longest length, then score, length and bytes of each piece."""
        data = path.read_bytes()
        pieces, scores, place = [], [], 4
        while place < len(data):
            score, length = struct.unpack_from("<fi", data, place)
            place += 8
            pieces.append(data[place : place + length])
            scores.append(score)
            place += length
        return cls(pieces, scores)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text` behind BOS; a space is put in front, as SentencePiece does."""
        known: dict[str, list[int]] = {}
        ids = [BOS]
        for word in _WORDS.findall(" " + text) if text else ():
            if word not in known:
                known[word] = self._word(word)
            ids += known[word]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, without control tokens and the space in front."""
        parts = [
            bytes([number - _FIRST_BYTE]) if number < _FIRST_BYTE + 256 else self.pieces[number]
            for number in ids
            if number >= _FIRST_BYTE
        ]
        return b"".join(parts).decode(errors="replace").removeprefix(" ")

    def _word(self, word: str) -> list[int]:
        """Join the neighbours with the best score until none are in the vocabulary."""
        parts = [character.encode() for character in word]
        while len(parts) > 1:
            joined = [a + b for a, b in itertools.pairwise(parts)]
            worst = (float("-inf"), 0)
            place = max(range(len(joined)), key=lambda n: self._rank.get(joined[n], worst)[0])
            if joined[place] not in self._rank:
                break
            parts[place : place + 2] = [joined[place]]
        ids: list[int] = []
        for part in parts:
            if part in self._rank:
                ids.append(self._rank[part][1])
            else:
                ids += [byte + _FIRST_BYTE for byte in part]
        return ids
