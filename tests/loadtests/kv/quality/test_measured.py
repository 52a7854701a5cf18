import numpy as np

from loadtests.kv.quality.measured import best, measured, probed
from loadtests.kv.quality.results import ProbeResult, Result


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def result(bits: int, kl: float, nll: float = 0.01) -> Result:
    return Result("k", "lab", "c", "l", 256, "both", 80, [10 * bits] * 4, [nll] * 4, [kl] * 4, 0)


def test_levels_beaten_in_size_and_kl_are_not_chosen() -> None:
    curve = [measured(result(b, kl), rng()) for b, kl in ((8, 0.1), (4, 0.3), (5, 0.4), (2, 1.0))]
    assert [m.bits for m in best(curve)] == [8, 4, 2]


def test_luck_in_perplexity_chooses_nothing() -> None:
    curve = [
        measured(result(bits, kl, nll), rng()) for bits, kl, nll in ((4, 0.1, 0.02), (4, 0.3, -0.1))
    ]
    assert [m.kl.value for m in best(curve)] == [0.1]


def test_a_change_is_paired() -> None:
    def answered(scores: list[float]) -> ProbeResult:
        return ProbeResult("k", "lab", "recall", "c", "l", [1] * 6, [1] * 6, scores, 0)

    whole, lost = answered([1, 1, 1, 0, 0, 0]), answered([1, 1, 0, 0, 0, 0])
    assert probed(whole, whole, rng()).change.low == probed(whole, whole, rng()).change.high == 0
    change = probed(lost, whole, rng()).change
    assert change.value == -1 / 6
    assert change.low < change.value < change.high == 0
