import dataclasses

import pytest
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw
from torch import Tensor

from loadtests.kv.quality.bench import Bench, Trial, kl, nll
from loadtests.kv.quality.subjects import Subject


@pytest.fixture(scope="module")
def ids(subject: Subject) -> Tensor:
    return torch.randint(3, 61, (3, subject.window), generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def bench(subject: Subject, ids: Tensor) -> Bench:
    return Bench(subject, ids)


def test_nothing_lost_is_no_loss(bench: Bench) -> None:
    result = bench.measure(Trial(Raw(), "raw", 16))
    assert list(result.nll) == [0.0] * 3
    assert list(result.kl) == [0.0] * 3
    assert 16 < result.bits < 24


def test_what_is_uncompressed_is_what_the_model_says_itself(
    subject: Subject, ids: Tensor, bench: Bench
) -> None:
    with torch.no_grad():
        logits = subject.model(input_ids=ids).logits[:, subject.prefix : -1]
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), ids[:, subject.prefix + 1 :].flatten(), reduction="none"
    )
    # To the rounding of the prefix to bfloat16.
    assert bench.reference().whole == pytest.approx(
        losses.view(3, -1).mean(dim=1).tolist(), abs=0.2
    )


def test_more_noise_is_more_loss(bench: Bench, shaky: Codec) -> None:
    results = [bench.measure(Trial(shaky, level, 40)) for level in shaky.levels]
    mean = [sum(r.kl) / 3 for r in results]
    assert 0 < mean[0] < mean[1] < mean[2]
    assert mean[0] < 0.05 < mean[2]


def test_keys_alone_lose_less_than_both(bench: Bench, shaky: Codec) -> None:
    both, keys, values = (
        sum(bench.measure(Trial(shaky, "0.1", 40, part)).kl) for part in ("both", "keys", "values")
    )
    assert 0 < keys < both
    assert 0 < values < both


def test_a_key_names_all_that_matters(
    subject: Subject, ids: Tensor, bench: Bench, shaky: Codec
) -> None:
    trial = Trial(shaky, "0.1", 16)
    other = Bench(subject, ids[:2])
    keys = [
        bench.key(trial),
        bench.key(dataclasses.replace(trial, tokens=20)),
        bench.key(dataclasses.replace(trial, part="keys")),
        bench.key(dataclasses.replace(trial, level="1")),
        bench.key(Trial(Raw(), "raw", 16)),
        other.key(trial),
        bench.reference_key(),
        other.reference_key(),
    ]
    assert len(set(keys)) == len(keys)
    assert bench.key(trial) == Bench(subject, ids).key(trial)


def test_divergence_and_likelihood() -> None:
    ours = torch.log(torch.tensor([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]]))
    theirs = torch.log(torch.tensor([[0.25, 0.5, 0.25], [1 / 3, 1 / 3, 1 / 3]]))
    assert kl(ours, theirs) == pytest.approx(0.25 * 0.6931472 / 2)
    assert nll(ours, torch.tensor([0, 2])) == pytest.approx((0.6931472 + 1.0986123) / 2)


def test_threads_change_nothing(subject: Subject, ids: Tensor, bench: Bench, shaky: Codec) -> None:
    trial = Trial(shaky, "0.1", 16)
    one, several = bench.measure(trial), Bench(subject, ids, workers=3).measure(trial)
    assert dataclasses.replace(one, seconds=0) == dataclasses.replace(several, seconds=0)
