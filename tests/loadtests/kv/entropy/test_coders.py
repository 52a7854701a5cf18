from __future__ import annotations

import numpy as np
import pytest

from loadtests.kv.entropy.coders import CODERS, Coder, PlainRans, Rans
from loadtests.kv.entropy.streams import Stream, laplace


@pytest.fixture(scope="module", params=[1, 3])
def stream(request: pytest.FixtureRequest) -> Stream:
    return laplace(1.0, request.param, 100, 9, np.random.default_rng(0))


@pytest.mark.parametrize("coder", CODERS)
def test_what_is_encoded_is_decoded(coder: type[Coder], stream: Stream) -> None:
    made = coder(stream)
    encoded = made.encode()
    decoded = made.decode(encoded)
    if decoded.shape != stream.symbols.shape:
        assert np.bincount(decoded).tolist() == np.bincount(stream.symbols.ravel()).tolist()
    else:
        np.testing.assert_array_equal(decoded, stream.symbols)
    bits = 8 * made.size(encoded)
    assert stream.entropy * stream.symbols.size <= bits <= 8 * stream.symbols.size


def test_both_of_ours_write_the_same(stream: Stream) -> None:
    states, words = PlainRans(stream).encode()
    payload = states.astype("<u4").tobytes() + words[:-32].astype("<u2").tobytes()
    assert Rans(stream).encode() == payload
    assert PlainRans(stream).size((states, words)) == len(payload)
