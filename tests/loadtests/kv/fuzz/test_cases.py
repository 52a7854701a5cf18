from __future__ import annotations

from collections import Counter

from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.codecs.zstd import Zstd

from loadtests.kv.fuzz.cases import Cases

CODECS = [Raw(), Zstd()]


def test_a_number_of_a_seed_is_one_input() -> None:
    one, again, other = (Cases(CODECS, seed) for seed in (1, 1, 2))
    for number in range(40):
        assert one[number] == again[number]
        assert one[number].data != other[number].data


def test_kinds_take_turns_and_codecs_come_as_often() -> None:
    drawn = Cases(CODECS, 1)
    cases = [drawn[number] for number in range(1000)]
    assert [case.number for case in cases] == list(range(1000))
    assert [case.kind for case in cases[:4]] == ["raw", "sealed", "raw", "sealed"]
    counted = Counter((case.kind, case.codec) for case in cases)
    assert len(counted) == 4
    assert min(counted.values()) > 200
