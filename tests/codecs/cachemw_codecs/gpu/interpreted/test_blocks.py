from __future__ import annotations

import torch
from cachemw_codecs.gpu.blocks import unblock

from tests.codecs.cachemw_codecs.gpu.interpreted.batches import DEVICE

BLOCK, WIDTH = 16, 12
ROWS = (3, 33, 2)


def _groups(rows: int) -> int:
    return -(-rows // 32) * 32


def test_blocks_become_the_tokens_that_they_are_of(generator: torch.Generator) -> None:
    bases = torch.randn(2, BLOCK, BLOCK, generator=generator)
    drawn = [torch.randn(rows, BLOCK, WIDTH, generator=generator).half() for rows in ROWS]
    described: list[list[int]] = []
    scratch: list[torch.Tensor] = []
    room = 0
    for number, y in enumerate(drawn):
        lines = torch.zeros(_groups(len(y)), BLOCK * WIDTH, dtype=torch.float16)
        lines[: len(y)] = y.reshape(len(y), -1)
        source = sum(one.numel() for one in scratch)
        described.append([source, len(y), room, number % 2])
        # Decoding order: [groups, columns, 32].
        scratch.append(lines.view(-1, 32, BLOCK * WIDTH).transpose(1, 2).reshape(-1))
        room += _groups(len(y) * BLOCK) * WIDTH
    values = torch.full((room,), torch.nan, dtype=torch.float16, device=DEVICE)
    unblock(
        torch.cat(scratch).to(DEVICE),
        torch.tensor(described).T.contiguous().to(DEVICE),
        max(ROWS),
        WIDTH,
        bases.to(DEVICE),
        values,
    )
    for (_, rows, place, basis), y in zip(described, drawn, strict=True):
        padded = _groups(rows * BLOCK)
        found = values.cpu()[place : place + padded * WIDTH].view(-1, WIDTH, 32)
        tokens = found.transpose(1, 2).reshape(padded, WIDTH)
        expected = torch.einsum("bfc,fi->bic", y.float(), bases[basis]).reshape(-1, WIDTH)
        torch.testing.assert_close(tokens[: rows * BLOCK].float(), expected, rtol=1e-3, atol=1e-3)
        assert not tokens[rows * BLOCK :].any()
    assert not values.isnan().any()
