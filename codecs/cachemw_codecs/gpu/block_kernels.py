"""Blocks of tokens, coded by frequency, back to tokens."""
# ruff: noqa: ANN001, ANN201, N803 - the compiler reads names and types its own way
# mypy: disable-error-code="no-untyped-def,untyped-decorator,import-untyped,import-not-found"

import triton
import triton.language as tl


@triton.jit
def unblock_kernel(
    coefficients,
    blocks,
    bases,
    values,
    count,
    width,
    BLOCK: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Do CHANNELS channels of 32 blocks of entry `program_id(2)`; see `blocks.unblock`."""
    entry = tl.program_id(2)
    source = tl.multiple_of(tl.load(blocks + entry), 32)
    rows = tl.load(blocks + count + entry).to(tl.int32)
    target = tl.multiple_of(tl.load(blocks + 2 * count + entry), 32)
    base = tl.load(blocks + 3 * count + entry)
    group = tl.program_id(1)
    if group * 32 < rows:
        c = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
        b = tl.arange(0, 32)
        i = tl.arange(0, BLOCK)
        given = (c < width)[:, None] & (b < 32)[None, :]
        begin = coefficients + source + group * (32 * BLOCK * width)
        total = tl.zeros((CHANNELS, 32, BLOCK), tl.float32)
        for f in range(BLOCK):
            y = tl.load(begin + (f * width + c)[:, None] * 32 + b[None, :], mask=given, other=0.0)
            wave = tl.load(bases + base * (BLOCK * BLOCK) + f * BLOCK + i)
            total += y.to(tl.float32)[:, :, None] * wave[None, None, :]
        token = (group * 32 + b)[:, None] * BLOCK + i[None, :]
        place = (token // 32) * (32 * width) + token % 32
        to = values + target + place[None, :, :] + c[:, None, None] * 32
        # Whole groups of 32 tokens: what belongs to no block is 0, as the decoder wrote it.
        room = (rows * BLOCK + 31) // 32 * 32
        tl.store(to, total.to(tl.float16), mask=given[:, :, None] & (token < room)[None, :, :])
