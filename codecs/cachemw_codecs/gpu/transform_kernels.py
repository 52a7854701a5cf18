"""Values in steps back to keys and values: escapes and the inverse transform.

`values` holds float16 in decoding order (`coder.Strides.decoding_order`).
"""
# ruff: noqa: ANN001, ANN201, PLR0913, PLR0917, N803 - the compiler reads names and types its own way
# mypy: disable-error-code="no-untyped-def,untyped-decorator,import-untyped,import-not-found"

import triton
import triton.language as tl

from cachemw_codecs.gpu.rans_kernels import dequantised


@triton.jit
def escape_kernel(
    escapes,
    streams,
    columns,
    offsets,
    values,
    status,
    count,
    escape_count,
    width,
    BLOCK: tl.constexpr,
):
    """Write values that symbols cannot say; `escapes`: int64 [3, n] of stream, index and value."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    given = at < escape_count
    stream = tl.load(escapes + at, mask=given, other=-1)
    index = tl.load(escapes + escape_count + at, mask=given, other=0)
    q = tl.load(escapes + 2 * escape_count + at, mask=given, other=0)
    known = given & (stream >= 0) & (stream < count)
    tokens = tl.load(streams + 2 * count + stream, mask=known, other=0)
    row = tl.load(streams + 3 * count + stream, mask=known, other=0)
    place = tl.load(streams + 4 * count + stream, mask=known, other=0)
    inside = known & (index >= 0) & (index < tokens * width)
    token = index // width
    column = index - token * width
    table = tl.load(columns + row * width + column, mask=inside, other=0)
    offset = tl.load(offsets + table, mask=inside, other=0.0)
    target = values + place + (token // 32) * (32 * width) + column * 32 + token % 32
    found = tl.load(target, mask=inside, other=0.0)
    # What the decoder wrote for symbol 0; no other symbol gives it.
    good = inside & (found == dequantised(offset * 0.0 - 128.0, offset).to(tl.float16))
    tl.store(target, dequantised(q.to(tl.float32), offset).to(tl.float16), mask=good)
    tl.atomic_or(status + stream, 16, mask=known & (good == 0))


@triton.jit
def inverse_kernel(
    values,
    units,
    matrices,
    steps,
    means,
    out,
    count,
    width,
    head_stride,
    largest,
    G: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    TOKENS: tl.constexpr,
    OUT: tl.constexpr,
    IN: tl.constexpr,
):
    """Out tile [TOKENS, OUT] of unit `program_id(1)`: step x (values @ matrix) + mean.

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
    row = tl.load(units + 6 * count + unit)
    target = tl.multiple_of(tl.load(units + 7 * count + unit), HEAD_DIM)
    tiles: tl.constexpr = G // OUT
    begin = (tl.program_id(0) // tiles) * TOKENS
    per_head: tl.constexpr = HEAD_DIM // OUT
    tile = tl.program_id(0) % tiles
    if (begin < first + tokens) & (begin + TOKENS > first):
        token = begin + tl.arange(0, TOKENS)
        here = (token >= first) & (token < first + tokens)
        line = values + place + (token // 32) * (32 * width) + token % 32
        n = tile * OUT + tl.arange(0, OUT)
        total = tl.zeros((TOKENS, OUT), tl.float32)
        for k in range(0, G, IN):
            j = k + tl.arange(0, IN)
            c = column + j
            at = (c // width) * (padded * width) + (c % width) * 32
            y = tl.load(line[:, None] + at[None, :], mask=(token < padded)[:, None], other=0.0)
            part = tl.load(matrices + matrix * (G * G) + j[:, None] * G + n[None, :])
            total = tl.dot(y.to(part.dtype), part, total, input_precision="tf32")
        total = total * tl.load(steps + row) + tl.load(means + row * G + n)[None, :]
        total = tl.minimum(tl.maximum(total, -largest), largest)
        head = out + target + (tile // per_head) * head_stride + (tile % per_head) * OUT
        to = head + (token - first)[:, None] * HEAD_DIM + tl.arange(0, OUT)[None, :]
        tl.store(to, total.to(out.dtype.element_ty), mask=here[:, None])
