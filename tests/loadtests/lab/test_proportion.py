from loadtests.lab.proportion import Proportion


def test_wilson_interval_matches_a_known_value() -> None:
    low, high = Proportion(9, 10).interval
    assert (round(low, 4), round(high, 4)) == (0.5958, 0.9821)
    assert str(Proportion(9, 10)) == "9/10 [0.596, 0.982]"


def test_nothing_is_known_of_no_trials() -> None:
    assert Proportion(0, 0).interval == (0.0, 1.0)
