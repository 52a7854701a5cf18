"""Quantised coefficients back to keys and values: escapes, dequantisation and transform.

`quantised` holds int16 values in decoding order (`coder.Strides.decoding_order`).
"""
# ruff: noqa: ANN001, ANN201, PLR0913, PLR0917, N803 - the compiler reads names and types its own way
# mypy: disable-error-code="no-untyped-def,untyped-decorator,import-untyped,import-not-found"

import triton
import triton.language as tl

BAD_ESCAPE = 16
"""An escape points outside its stream, or at a symbol that is not 0."""


@triton.jit
def escape_kernel(
    escapes, streams, quantised, status, count, escape_count, width, BLOCK: tl.constexpr
):
    """Write values that symbols cannot say; `escapes`: int64 [3, n] of stream, index and value."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    given = at < escape_count
    stream = tl.load(escapes + at, mask=given, other=-1)
    index = tl.load(escapes + escape_count + at, mask=given, other=0)
    value = tl.load(escapes + 2 * escape_count + at, mask=given, other=0)
    known = given & (stream >= 0) & (stream < count)
    tokens = tl.load(streams + 2 * count + stream, mask=known, other=0)
    place = tl.load(streams + 4 * count + stream, mask=known, other=0)
    inside = known & (index >= 0) & (index < tokens * width)
    token = index // width
    column = index - token * width
    target = quantised + place + (token // 32) * (32 * width) + column * 32 + token % 32
    symbol = tl.load(target, mask=inside, other=0).to(tl.int32)
    good = inside & (symbol == -128)
    tl.store(target, value.to(tl.int16), mask=good)
    tl.atomic_or(status + stream, 16, mask=known & (good == 0))


@triton.jit
def inverse_kernel(
    quantised,
    units,
    matrices,
    offsets,
    means,
    out,
    count,
    width,
    head_stride,
    G: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    TOKENS: tl.constexpr,
    OUT: tl.constexpr,
    IN: tl.constexpr,
):
    """Out tile [TOKENS, OUT] of unit `program_id(1)`: sign(q) (|q| - offset) @ matrix + mean.

    Tiles are of the stream's tokens, not of the unit's, and within one head, so that loads and
    stores are seen to be aligned and are made 16 bytes wide.
    """
    unit = tl.program_id(1)
    place = tl.multiple_of(tl.load(units + unit), 32)
    padded = tl.multiple_of(tl.load(units + count + unit).to(tl.int32), 32)
    first = tl.load(units + 2 * count + unit).to(tl.int32)
    tokens = tl.load(units + 3 * count + unit).to(tl.int32)
    column = tl.load(units + 4 * count + unit).to(tl.int32)
    matrix = tl.load(units + 5 * count + unit)
    target = tl.multiple_of(tl.load(units + 6 * count + unit), HEAD_DIM)
    tiles: tl.constexpr = G // OUT
    begin = (tl.program_id(0) // tiles) * TOKENS
    per_head: tl.constexpr = HEAD_DIM // OUT
    tile = tl.program_id(0) % tiles
    if (begin < first + tokens) & (begin + TOKENS > first):
        token = begin + tl.arange(0, TOKENS)
        here = (token >= first) & (token < first + tokens)
        row = quantised + place + (token // 32) * (32 * width) + token % 32
        inside = token < padded
        n = tile * OUT + tl.arange(0, OUT)
        total = tl.zeros((TOKENS, OUT), tl.float32)
        for k in range(0, G, IN):
            j = k + tl.arange(0, IN)
            c = column + j
            at = (c // width) * (padded * width) + (c % width) * 32
            # Loaded by whole groups of 32; tokens that are not the unit's are not stored.
            q = tl.load(row[:, None] + at[None, :], mask=inside[:, None], other=0).to(tl.float32)
            toward_zero = tl.load(offsets + matrix * G + j)[None, :]
            size = tl.abs(q) - toward_zero
            y = tl.where(q == 0.0, 0.0, tl.where(q < 0.0, -size, size))
            part = tl.load(matrices + matrix * (G * G) + j[:, None] * G + n[None, :])
            total = tl.dot(y.to(part.dtype), part, total, input_precision="tf32")
        total += tl.load(means + matrix * G + n)[None, :]
        head = out + target + (tile // per_head) * head_stride + (tile % per_head) * OUT
        to = head + (token - first)[:, None] * HEAD_DIM + tl.arange(0, OUT)[None, :]
        tl.store(to, total.to(out.dtype.element_ty), mask=here[:, None])
