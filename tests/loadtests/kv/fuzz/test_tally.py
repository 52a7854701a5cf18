from __future__ import annotations

from loadtests.kv.fuzz.cases import Case
from loadtests.kv.fuzz.tally import Fault, Tally

ONE, TWO = Case(4, "raw", "int8", b"1"), Case(7, "sealed", "int8", b"2")


def test_extremes_are_kept_with_their_input() -> None:
    tally = Tally()
    tally.count(ONE, "decoded", 0.5)
    tally.count(TWO, "decoded", 0.25)
    tally.hold(ONE, 0.1)
    tally.hold(TWO, 0.2)
    tally.fault(TWO, "a crash")
    assert tally.slowest == {"int8": (0.5, 4)}
    assert tally.fullest == {"int8": (0.2, 7)}
    assert tally.faults == [Fault(7, "sealed", "int8", "a crash")]
    assert tally.inputs == 3


def test_tallies_add_up() -> None:
    one, two = Tally(grown=5), Tally(grown=3)
    one.count(ONE, "decoded", 0.5)
    two.count(ONE, "decoded", 0.1)
    two.count(TWO, "DamagedData", 0.75)
    two.hold(TWO, 0.3)
    two.fault(TWO, "a crash")
    one.merge(two)
    assert one.outcomes == {("raw", "int8", "decoded"): 2, ("sealed", "int8", "DamagedData"): 1}
    assert one.slowest == {"int8": (0.75, 7)}
    assert one.fullest == {"int8": (0.3, 7)}
    assert (one.inputs, len(one.faults), one.grown) == (4, 1, 5)
