from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cachemw_codecs.coding.compiled import compiled
from cachemw_codecs.coding.vectors import supports, transpose
from llvmlite import binding  # type: ignore[import-untyped]
from numpy.typing import NDArray


@compiled
def transposed(
    source: NDArray[np.uint8], first: int, step: int, target: NDArray[np.uint8], to: int, by: int
) -> int:
    return transpose(source, first, step, target, to, by)


def test_sixteen_rows_are_transposed_and_nothing_else_is_touched() -> None:
    source = np.random.default_rng(0).integers(0, 200, (20, 30)).astype(np.uint8)
    target = np.full((18, 40), 255, np.uint8)
    transposed(source, 2 * 30 + 5, 30, target, 40 + 3, 40)
    np.testing.assert_array_equal(target[1:17, 3:19], source[2:18, 5:21].T)
    target[1:17, 3:19] = 255
    assert (target == 255).all()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [((), True), (("avx2",), True), (("avx2", "avx512f"), False), (("sve",), False)],
)
def test_a_processor_supports_what_it_has(
    wanted: tuple[str, ...], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = {"avx2": True, "avx512f": False}
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: features)
    uncached: Any = supports.__wrapped__
    assert uncached(*wanted) is expected
