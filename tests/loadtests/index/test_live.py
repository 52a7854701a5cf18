from __future__ import annotations

import numpy as np

from loadtests.index.live import Live


def test_what_is_replaced_ends_later_and_what_is_dropped_does_not_come_back() -> None:
    live, vector = Live(), np.zeros(2, dtype=np.float32)
    for key, end in ((b"a", 1.0), (b"b", 2.0), (b"c", 3.0), (b"a", 9.0)):
        live.put(key, vector, end)
    live.drop(b"b")
    assert live.expire(5.0) == 1
    assert (live.keys, set(live.vectors)) == ([b"a"], {b"a"})
    assert live.expire(9.0) == 1
    assert not live.keys
