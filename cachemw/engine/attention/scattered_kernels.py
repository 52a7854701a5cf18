"""Flash attention of scattered queries as a Triton kernel (Dao, FlashAttention-2, algorithm 1)."""
# ruff: noqa: ANN001, ANN201, PLR0913, PLR0917, N803 - the compiler reads names and types its own way
# mypy: disable-error-code="no-untyped-def,untyped-decorator,import-untyped,import-not-found"

import triton
import triton.language as tl


@triton.jit
def scattered_kernel(
    queries,
    keys,
    values,
    positions,
    out,
    count,
    group,
    scale,
    q_head,
    q_row,
    k_head,
    k_row,
    v_head,
    v_row,
    o_row,
    DIM: tl.constexpr,
    PADDED: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Attend from one tile of queries of one head; rows' last dimension is contiguous."""
    head = tl.program_id(1).to(tl.int64)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    dim = tl.arange(0, PADDED)
    inside = dim < DIM
    live = (row < count)[:, None] & inside[None, :]
    # Rows past the end repeat the last query, so that no row is without a key.
    at = tl.load(positions + tl.minimum(row, count - 1)).to(tl.int32)
    seen = tl.max(at, 0) + 1
    full = (tl.min(at, 0) + 1) // COLUMNS * COLUMNS
    row = row.to(tl.int64)
    q = tl.load(queries + head * q_head + row[:, None] * q_row + dim[None, :], mask=live, other=0.0)
    key_base = keys + head // group * k_head
    value_base = values + head // group * v_head
    best = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    summed = tl.zeros([ROWS, PADDED], tl.float32)
    for start in range(0, seen, COLUMNS):
        key = start + column
        there = (key < seen)[:, None] & inside[None, :]
        k = tl.load(
            key_base + key.to(tl.int64)[:, None] * k_row + dim[None, :], mask=there, other=0.0
        )
        v = tl.load(
            value_base + key.to(tl.int64)[:, None] * v_row + dim[None, :], mask=there, other=0.0
        )
        scores = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale
        if start >= full:
            scores = tl.where(key[None, :] <= at[:, None], scores, float("-inf"))
        higher = tl.maximum(best, tl.max(scores, 1))
        weights = tl.exp(scores - higher[:, None])
        shrink = tl.exp(best - higher)
        total = total * shrink + tl.sum(weights, 1)
        summed = summed * shrink[:, None] + tl.dot(
            weights.to(v.dtype), v, input_precision=PRECISION
        )
        best = higher
    tl.store(
        out + row[:, None] * o_row + head * DIM + dim[None, :],
        (summed / total[:, None]).to(out.dtype.element_ty),
        mask=live,
    )
