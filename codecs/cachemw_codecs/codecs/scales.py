"""One quantisation step a token and head, for codecs that need no calibration.

A step is a bfloat16: two bytes like a float16, but with the range of float32, so that neither the
largest values of bfloat16 and float32 nor their smallest break it. It is rounded up: its row then
never exceeds the codes there are, for at most 1/128 of precision. Own design.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cachemw_codecs.codecs.framing import Reader, words
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape, require_finite

STEP_BYTES = 2
_LARGEST_BITS = 0x7F7F  # of a finite bfloat16


def require_steps(kv: LayerKV) -> LayerShape:
    """Return the shape; raises `InvalidInput` for one that is wrong and for values not finite."""
    shape = kv.shape
    require_finite(kv)
    return shape


def steps_of(part: Tensor, largest: float) -> Tensor:
    """Return the steps, bfloat16 [kv_heads, tokens], that take each row to within +-`largest`.

    `part`: finite, [kv_heads, tokens, head_dim]. A row of zeros has step 0; no other has.
    """
    peaks = part.detach().abs().amax(dim=-1).float()
    bits = ((peaks / largest).view(torch.int32) + 0xFFFF) >> 16
    # The quotient of a peak next to zero can be zero itself, and the largest float32 has no
    # bfloat16 above it: its row passes `largest` by less than half a step, and rounds to it.
    bits = torch.where(peaks > 0, bits.clamp(min=1, max=_LARGEST_BITS), 0)
    return bits.to(torch.int16).view(torch.bfloat16)


def in_steps(part: Tensor, steps: Tensor) -> Tensor:
    """Return `part` as float32 multiples of its steps, not rounded; rows of step 0 are zero."""
    divisors = steps.float()
    divisors[divisors == 0] = 1
    return part.detach().float() / divisors.unsqueeze(-1)


def from_steps(codes: Tensor, steps: Tensor, dtype: torch.dtype) -> Tensor:
    """Return `codes` [kv_heads, tokens, head_dim] times their steps, in `dtype`.

    Steps were rounded up, so that a product can pass the largest number of `dtype`: it is held
    there, and no encoder's output decodes to infinity.
    """
    most = torch.finfo(dtype).max
    return codes.float().mul_(steps.float().unsqueeze(-1)).clamp_(-most, most).to(dtype)


def steps_as_bytes(steps: Tensor) -> bytes:
    """Return the steps as little-endian bytes."""
    return words(steps).astype("<u2", copy=False).tobytes()


def read_steps(reader: Reader, shape: LayerShape) -> Tensor:
    """Read bfloat16 [kv_heads, tokens]; raises `DamagedData` for what no encoder writes."""
    count = shape.kv_heads * shape.tokens
    bits = reader.take(count * STEP_BYTES, "steps").view("<u2").astype(np.int16)
    steps = torch.from_numpy(bits).view(torch.bfloat16).reshape(shape.kv_heads, shape.tokens)
    if bool((bits < 0).any()) or not bool(torch.isfinite(steps).all()):
        raise DamagedData("steps: negative or not finite")
    return steps
