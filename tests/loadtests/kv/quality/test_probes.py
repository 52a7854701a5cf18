import dataclasses

import pytest
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw

from loadtests.kv.quality.bench import Trial
from loadtests.kv.quality.probes import Probe, ProbeBench, copying, recall
from loadtests.kv.quality.subjects import Subject
from loadtests.lab.tasks.recall import RecallCase

RAW = Trial(Raw(), "raw", 16)


@pytest.fixture(scope="module")
def foreseen(subject: Subject) -> Probe:
    """Let the model write six tokens behind a prefix and a question of two."""
    prefix, question = torch.arange(1, 31), torch.tensor([7, 9])
    ids = torch.cat((prefix, question))
    for _ in range(6):
        with torch.no_grad():
            likeliest = subject.model(input_ids=ids[None]).logits[0, -1].argmax()
        ids = torch.cat((ids, likeliest[None]))
    return Probe(prefix, ids[30:], answer=2)


def changed(probe: Probe, place: int) -> Probe:
    read = probe.read.clone()
    read[place] = 3 if int(read[place]) != 3 else 4
    return dataclasses.replace(probe, read=read)


def test_only_a_whole_answer_is_right(subject: Subject, foreseen: Probe) -> None:
    probes = [foreseen, changed(foreseen, -1)]
    exact = ProbeBench(subject, "recall", probes, exact=True).measure(RAW)
    share = ProbeBench(subject, "copying", probes, exact=False).measure(RAW)
    assert list(exact.scores) == [1, 0]
    assert list(share.scores) == pytest.approx([1, 5 / 6])
    assert list(exact.values) == [2 * 2 * 30 * 16] * 2


def test_a_ruined_prefix_is_not_recalled(subject: Subject, foreseen: Probe, shaky: Codec) -> None:
    bench = ProbeBench(subject, "recall", [foreseen], exact=False)
    scores = [bench.measure(Trial(shaky, level, 16)).scores[0] for level in ("0.01", "1")]
    assert scores[0] > scores[1]


def test_a_key_names_all_that_matters(subject: Subject, foreseen: Probe, shaky: Codec) -> None:
    bench = ProbeBench(subject, "recall", [foreseen], exact=True)
    keys = {
        bench.key(RAW),
        bench.key(dataclasses.replace(RAW, tokens=20)),
        bench.key(Trial(shaky, "1", 16)),
        ProbeBench(subject, "copying", [foreseen], exact=True).key(RAW),
        ProbeBench(subject, "recall", [changed(foreseen, -1)], exact=True).key(RAW),
    }
    assert len(keys) == 5


def test_a_passage_of_the_prefix_is_read_again() -> None:
    windows = torch.arange(3 * 400).view(3, 400)
    probes = copying(windows, 300, torch.Generator().manual_seed(1))
    for row, probe in zip(windows, probes, strict=True):
        assert torch.equal(probe.prefix, row[:300])
        assert len(probe.read) == 128
        assert torch.equal(probe.read, torch.arange(128) + int(probe.read[0]))
        assert set(probe.read.tolist()) < set(row[1:300].tolist())
        assert probe.answer == 32
    assert len({int(probe.read[0]) % 400 for probe in probes}) > 1


def test_a_case_is_asked_over_its_context() -> None:
    cases = [RecallCase("abc", "\n\nQuestion: d? Answer:", " e")]
    probe = recall(cases, lambda text: [ord(c) for c in text], bos=1)[0]
    assert probe.prefix.tolist() == [1, *b"abc"]
    assert bytes(probe.read.tolist()) == b"\n\nQuestion: d? Answer: e"
    assert bytes(probe.read[probe.answer :].tolist()) == b" e"
