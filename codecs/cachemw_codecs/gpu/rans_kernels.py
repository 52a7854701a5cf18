"""The loops of `coding.rans` as Triton kernels: one warp a stream, its 32 lanes the 32 states.

A decoder may be handed any bytes. Every load of a word is masked by the stream's length, a slot is
always within its table, and the number of steps comes from the caller, so nothing is read or
written out of bounds; what is wrong is noted in the stream's status.

Symbols lie where strides say: symbol (token, column) of a stream at
`place + (token // 32) * by_group + column * by_column + (token % 32) * by_lane`.
"""
# ruff: noqa: ANN001, ANN201, ANN202, PLR0913, PLR0917, N803 - the compiler reads names and types its own way
# mypy: disable-error-code="no-untyped-def,untyped-decorator,import-untyped,import-not-found"

import triton
import triton.language as tl

BAD_BEGIN = 1
"""A state at the start is out of range, or there is no room for the states."""
BAD_WORDS = 2
"""Words are missing or left over."""
BAD_END = 4
"""A state at the end is not the lowest."""
BAD_SYMBOL = 8
"""The encoder met a symbol of frequency 0."""
BAD_ESCAPE = 16
"""There are more or fewer escapes than symbols 0, or one points elsewhere."""

_COUNT = tl.constexpr(
    """{
    .reg .pred p;
    .reg .b32 votes, below;
    setp.ne.s32 p, $2, 0;
    vote.sync.ballot.b32 votes, p, 0xffffffff;
    and.b32 below, votes, $3;
    popc.b32 $0, below;
    popc.b32 $1, votes;
    }"""
)


@triton.jit
def _ranks(chosen, lower, VOTE: tl.constexpr):
    """Return for each of 32 lanes how many chosen ones stand before it, and how many in all.

    `lower` has a bit for each lane before this one.

    By a vote of the warp, which is a fifth of a prefix sum's latency; the interpreter has none.
    """
    flags = chosen.to(tl.int32)
    if VOTE:
        before, total = tl.inline_asm_elementwise(
            _COUNT, "=r,=r,r,r", [flags, lower], dtype=(tl.int32, tl.int32), is_pure=False, pack=1
        )
    else:
        before = tl.cumsum(flags, 0) - flags
        total = flags * 0 + tl.sum(flags, 0)
    return before, total


@triton.jit
def dequantised(q, offset):
    """Return sign(q) (|q| - offset)."""
    size = tl.abs(q) - offset
    return tl.where(q == 0.0, 0.0, tl.where(q < 0.0, -size, size))


@triton.jit
def decode_kernel(
    words,
    streams,
    columns,
    slots,
    offsets,
    symbols,
    status,
    count,
    width,
    by_group,
    by_column,
    by_lane,
    DEQUANTISE: tl.constexpr,
    VOTE: tl.constexpr,
):
    """Decode stream `program_id`; writes symbols, or `dequantised` values in steps."""
    stream = tl.program_id(0)
    lane = tl.arange(0, 32)
    lower = (lane * 0 + 1 << lane) - 1
    begin = words + tl.load(streams + stream)
    length = tl.load(streams + count + stream).to(tl.int32)
    tokens = tl.load(streams + 2 * count + stream).to(tl.int32)
    table_of = columns + tl.load(streams + 3 * count + stream) * width
    place = symbols + tl.load(streams + 4 * count + stream) + lane * by_lane
    lanes = tl.minimum(tokens, 32)
    used = lane < lanes
    there = used & (2 * lane + 1 < length)
    low = tl.load(begin + 2 * lane, mask=there, other=0).to(tl.uint32)
    high = tl.load(begin + 2 * lane + 1, mask=there, other=0).to(tl.uint32)
    x = low | (high << 16)
    bad = tl.sum((used & ((x < 32768) | (high >= 32768))).to(tl.int32), 0)
    read = lane * 0 + 2 * lanes
    escapes = lane * 0
    for first in range(0, tokens, 32):
        here = first + lane < tokens
        target = place + (first // 32) * by_group
        table = tl.load(table_of).to(tl.int32)
        for column in range(width):
            entry = tl.load(slots + table * 4096 + (x & 4095).to(tl.int32))
            entry = entry.to(tl.uint32, bitcast=True)
            offset = tl.load(offsets + table)
            # The next table's number is at hand before the next step asks for it.
            table = tl.load(table_of + column + 1, mask=column + 1 < width, other=0).to(tl.int32)
            symbol = (entry >> 24).to(tl.int32)
            if DEQUANTISE:
                # Resting lanes write too, so that the transform reads nothing that nobody wrote.
                y = tl.where(here, dequantised((symbol - 128).to(tl.float32), offset), 0.0)
                tl.store(target, y.to(symbols.dtype.element_ty))
                escapes += (here & (symbol == 0)).to(tl.int32)
            else:
                tl.store(target, symbol.to(symbols.dtype.element_ty), mask=here)
            after = (((entry >> 12) & 4095) + 1) * (x >> 12) + (entry & 4095)
            low_now = here & (after < 32768)
            before, total = _ranks(low_now, lower, VOTE)
            at = read + before
            word = tl.load(begin + at, mask=low_now & (at < length), other=0).to(tl.uint32)
            after = tl.where(low_now, (after << 16) | word, after)
            x = tl.where(here, after, x)
            read += total
            target += by_column
    wrong = tl.where(bad > 0, 1, 0)
    wrong += tl.where(tl.max(read, 0) != length, 2, 0)
    wrong += tl.where(tl.sum((used & (x != 32768)).to(tl.int32), 0) > 0, 4, 0)
    if DEQUANTISE:
        listed = tl.load(streams + 5 * count + stream)
        wrong += tl.where(tl.sum(escapes, 0) != listed, 16, 0)
    tl.store(status + stream, wrong)


@triton.jit
def encode_kernel(
    symbols,
    streams,
    columns,
    ranges,
    words,
    status,
    count,
    width,
    by_group,
    by_column,
    by_lane,
    VOTE: tl.constexpr,
):
    """Encode stream `program_id` so that it ends where `streams[0]` says; sets `streams[1]`."""
    stream = tl.program_id(0)
    lane = tl.arange(0, 32)
    lower = (lane * 0 + 1 << lane) - 1
    end = words + tl.load(streams + stream)
    tokens = tl.load(streams + 2 * count + stream).to(tl.int32)
    table_of = columns + tl.load(streams + 3 * count + stream) * width
    place = symbols + tl.load(streams + 4 * count + stream) + lane * by_lane
    groups = (tokens + 31) // 32
    x = (lane * 0 + 32768).to(tl.uint32)
    written = lane * 0
    impossible = lane * 0
    for back in range(groups):
        group = groups - 1 - back
        here = group * 32 + lane < tokens
        source = place + group * by_group + (width - 1) * by_column
        for column_back in range(width):
            table = tl.load(table_of + width - 1 - column_back).to(tl.int32)
            symbol = tl.load(source, mask=here, other=0).to(tl.int32)
            entry = tl.load(ranges + table * 256 + symbol).to(tl.uint32, bitcast=True)
            impossible += (here & (entry < 65536)).to(tl.int32)
            frequency = tl.maximum(entry >> 16, 1)
            full = here & ((x >> 19) >= frequency)
            before, total = _ranks(full, lower, VOTE)
            written += total
            tl.store(end - written + before, (x & 65535).to(tl.uint16), mask=full)
            rest = tl.where(full, x >> 16, x)
            after = rest + (rest // frequency) * (4096 - frequency) + (entry & 65535)
            x = tl.where(here, after, x)
            source -= by_column
    lanes = tl.minimum(tokens, 32)
    written += 2 * lanes
    used = lane < lanes
    tl.store(end - written + 2 * lane, (x & 65535).to(tl.uint16), mask=used)
    tl.store(end - written + 2 * lane + 1, (x >> 16).to(tl.uint16), mask=used)
    tl.store(streams + count + stream, tl.max(written, 0).to(tl.int64))
    tl.store(status + stream, tl.where(tl.sum(impossible, 0) > 0, 8, 0))


@triton.jit
def gather_kernel(source, ends, starts, lengths, target, BLOCK: tl.constexpr):
    """Copy stream `program_id`, which ends at `ends`, to `starts`."""
    stream = tl.program_id(0)
    length = tl.load(lengths + stream)
    begin = source + tl.load(ends + stream) - length
    to = target + tl.load(starts + stream)
    for first in range(0, length, BLOCK):
        at = first + tl.arange(0, BLOCK)
        tl.store(to + at, tl.load(begin + at, mask=at < length), mask=at < length)
