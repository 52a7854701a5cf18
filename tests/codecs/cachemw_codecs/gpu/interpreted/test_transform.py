from __future__ import annotations

import pytest
import torch
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.gpu.transform import Inverse

VECTORS = torch.zeros(3, 16)


@pytest.mark.parametrize("shape", [(3, 16, 32), (3, 24, 24), (3, 8, 8)])
def test_matrices_of_sizes_that_the_kernel_does_not_know_are_refused(
    shape: tuple[int, int, int],
) -> None:
    vectors = torch.zeros(shape[:2])
    with pytest.raises(InvalidInput, match="power of two"):
        Inverse(torch.zeros(shape), vectors, vectors)


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"means: expected \[3, 16\]"):
        Inverse(torch.zeros(3, 16, 16), VECTORS, torch.zeros(2, 16))


def test_a_transposed_matrix_is_refused_rather_than_misread() -> None:
    assert Inverse(torch.zeros(3, 16, 16), VECTORS, VECTORS).size == 16
    with pytest.raises(InvalidInput, match="matrices: not contiguous"):
        Inverse(torch.zeros(3, 16, 16).transpose(1, 2), VECTORS, VECTORS)
