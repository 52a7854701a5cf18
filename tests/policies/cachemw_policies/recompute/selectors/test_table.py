from __future__ import annotations

import numpy as np
import pytest
from cachemw_policies.recompute.evidence import Evidence, Floats, Ints, Need
from cachemw_policies.recompute.selectors.table import SELECTORS, selector
from hypothesis import given
from hypothesis import strategies as st

_NAMES = sorted(SELECTORS)
_CHUNKS = st.lists(
    st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    min_size=1,
    max_size=5,
)


def _evidence(lengths: list[int], layers: int, seed: int) -> Evidence:
    rng = np.random.default_rng(seed)
    tokens = sum(lengths)

    def scores() -> Floats:
        # Few values, so that equal scores come up too.
        return (rng.integers(0, 6, tokens) / 5).astype(np.float32)

    return Evidence(
        chunk=np.repeat(np.arange(len(lengths)), lengths),
        offset=np.concatenate([np.arange(n) for n in lengths]),
        layers=layers,
        inter=scores(),
        carried=scores(),
        deviation=scores(),
        question=scores(),
    )


def _depths(name: str, evidence: Evidence, quota: Ints) -> Ints:
    return selector(name).depths(evidence, quota, np.random.default_rng(5))


@pytest.mark.parametrize("name", _NAMES)
@given(chunks=_CHUNKS, layers=st.integers(1, 4), seed=st.integers(0, 99))
def test_spends_what_it_may_and_no_more(
    name: str, chunks: list[tuple[int, int]], layers: int, seed: int
) -> None:
    evidence = _evidence([n for n, _ in chunks], layers, seed)
    quota = np.array([q for _, q in chunks])
    depths = _depths(name, evidence, quota)
    assert depths.shape == evidence.chunk.shape
    assert depths.dtype == np.int64
    assert depths.min() >= 0
    assert depths.max() <= layers
    assert depths.sum() == (0 if name == "none" else quota.sum() * layers)
    assert np.array_equal(depths, _depths(name, evidence, quota))


@pytest.mark.parametrize("name", [name for name in _NAMES if name != "none"])
@pytest.mark.parametrize("beyond", [0, 3])
def test_a_full_quota_is_all_tokens_in_all_layers(name: str, beyond: int) -> None:
    evidence = _evidence([3, 1, 4], 2, 7)
    assert _depths(name, evidence, evidence.lengths + beyond).tolist() == [2] * 8


def test_those_that_need_evidence_say_so_and_refuse_to_go_without() -> None:
    full = _evidence([3, 2], 2, 1)
    bare = Evidence(full.chunk, full.offset, full.layers, full.inter, full.carried)
    needs = {name: set(found.needs) for name, found in SELECTORS.items() if found.needs}
    assert needs == {
        "deviation": {Need.DEVIATION},
        "query_aware": {Need.QUESTION},
        "query_carried": {Need.QUESTION},
    }
    for name, found in SELECTORS.items():
        if found.needs:
            with pytest.raises(ValueError, match="the evidence lacks"):
                _depths(name, bare, np.array([1, 1]))
        else:
            _depths(name, bare, np.array([1, 1]))


def test_an_unknown_name_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"no selector 'best'; there are: none, random, first_k"):
        selector("best")
