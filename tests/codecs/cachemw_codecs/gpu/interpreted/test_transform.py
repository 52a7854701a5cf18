from __future__ import annotations

import pytest
import torch
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.gpu.transform import Inverse

MATRICES = torch.zeros(2, 48, 48)
STEPS, MEANS = torch.zeros(6), torch.zeros(6, 48)


@pytest.mark.parametrize(
    ("matrices", "steps", "means", "match"),
    [
        (torch.zeros(2, 48, 32), STEPS, MEANS, "multiple of 16"),
        (torch.zeros(2, 40, 40), STEPS, MEANS, "multiple of 16"),
        (MATRICES, torch.zeros(5), MEANS, "multiple of 2 matrices"),
        (MATRICES, STEPS, torch.zeros(5, 48), "expected"),
        (MATRICES, STEPS.double(), MEANS, "float32"),
        # What torch.linalg.qr returns: read as it lies in memory, it would be the transpose.
        (MATRICES.transpose(1, 2), STEPS, MEANS, "matrices: not contiguous"),
    ],
)
def test_what_the_kernel_would_misread_is_refused(
    matrices: torch.Tensor, steps: torch.Tensor, means: torch.Tensor, match: str
) -> None:
    assert Inverse(MATRICES, STEPS, MEANS).size == 48
    with pytest.raises(InvalidInput, match=match):
        Inverse(matrices, steps, means)
