"""The prefill without reuse: what every other one is measured against."""

from __future__ import annotations

import torch
from torch import Tensor

from cachemw.engine.attention.base import Attention
from cachemw.engine.model.decoder import Decoder
from cachemw.engine.model.sequence_kv import SequenceKV
from cachemw.engine.prompt.segments import Prompt
from cachemw.engine.reuse.base import Prefill, Steps
from cachemw.engine.reuse.outcome import Account, ChunkAccount, Prefilled


class FullPrefill(Prefill):
    """Computes every token in every layer, at most `piece_tokens` of them between two yields."""

    def __init__(self, decoder: Decoder, attention: Attention, piece_tokens: int) -> None:
        if piece_tokens < 1:
            raise ValueError("a piece has at least one token")
        self._decoder = decoder
        self._attention = attention
        self._piece_tokens = piece_tokens

    def steps(self, prompt: Prompt, tenant: bytes, kv: SequenceKV) -> Steps:  # noqa: ARG002
        """See `Prefill`; nothing is looked up or kept, whoever the `tenant` is.

        Raises:
            ValueError: the prompt is longer than `kv`'s capacity.
        """
        ids = torch.tensor(prompt.tokens)
        if len(ids) > kv.capacity:
            raise ValueError("the prompt is longer than the room for its keys and values")
        pieces = torch.split(torch.arange(len(ids)), self._piece_tokens)
        for positions in pieces[:-1]:
            self._piece(ids, positions, kv)
            yield
        last = self._piece(ids, pieces[-1], kv)
        kv.length = len(ids)
        return Prefilled(self._logits(last), self._account(prompt))

    @torch.no_grad()
    def _piece(self, ids: Tensor, positions: Tensor, kv: SequenceKV) -> Tensor:
        decoder = self._decoder
        hidden = decoder.embed(ids[positions])
        positions = positions.to(decoder.geometry.device)
        turns = decoder.turns(positions)
        end = int(positions[-1]) + 1
        for layer in range(decoder.geometry.layers):
            made = decoder.project(layer, hidden)
            kv.put(layer, positions, turns.turn(made.keys), made.values)
            keys, values = kv.upto(layer, end)
            attended = self._attention.attend(
                turns.turn(made.queries), keys, values, positions, decoder.scale
            )
            hidden = decoder.finish(layer, hidden, attended)
        return hidden[-1:]

    @torch.no_grad()
    def _logits(self, hidden: Tensor) -> Tensor:
        return self._decoder.logits(hidden)[0]

    def _account(self, prompt: Prompt) -> Account:
        count = len(prompt.tokens)
        return Account(
            how="full",
            prompt=count,
            full=count,
            exact=0,
            reused=0,
            recomputed=0,
            token_layers=float(count * self._decoder.geometry.layers),
            chunks=tuple(
                ChunkAccount(len(segment.tokens), "computed", 0)
                for segment in prompt.segments
                if segment.reusable
            ),
        )
