from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cachemw_codecs.codecs.cachegen import CacheGen, profile
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.container import write

from loadtests.kv.cachegen.texts import CONTINUATION, Window, _window
from loadtests.kv.cachegen.trial import trial
from loadtests.kv.quality.passage import prefill
from loadtests.kv.quality.subjects import Subject, open_subject

TOKENS = 256


@pytest.fixture(scope="module")
def subject() -> Subject:
    return open_subject("lab", Path("nowhere"), Path("nowhere"))


@pytest.fixture(scope="module")
def windows(subject: Subject) -> list[Window]:
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(6, 4096, (2, TOKENS + CONTINUATION + 1), generator=random)
    return [_window(subject, row) for row in ids]


@pytest.fixture(scope="module")
def tables(subject: Subject) -> bytes:
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(6, 4096, (4, TOKENS), generator=random)
    return profile([prefill(subject.model, row).layers for row in ids])


def test_nothing_is_lost_by_raw(subject: Subject, windows: list[Window]) -> None:
    made = trial(Raw(), Raw.levels[0], subject, windows)
    assert (made.quality.keys, made.quality.values) == (0, 0)
    assert made.quality.kl == [0, 0]
    assert made.quality.rise == [0, 0]
    assert 16 < made.bits < 16.1


def test_all_bytes_of_the_files_count(
    subject: Subject, windows: list[Window], tables: bytes
) -> None:
    codec = CacheGen(tables)
    files = [write(w.chunk, codec, "medium", subject.fingerprint) for w in windows]
    made = trial(codec, "medium", subject, windows)
    assert made.spent.total == pytest.approx(8 * sum(map(len, files)))
    assert made.spent.coded == 2 * 8 * 2 * 128 * TOKENS


def test_coarser_levels_lose_more(subject: Subject, windows: list[Window], tables: bytes) -> None:
    fine, coarse = (trial(CacheGen(tables), n, subject, windows) for n in ("finest", "coarsest"))
    assert coarse.bits < fine.bits < 8
    assert coarse.quality.keys > fine.quality.keys > 0
    assert coarse.quality.values > fine.quality.values > 0
    assert sum(coarse.quality.kl) > sum(fine.quality.kl) > 0
    assert len(fine.quality.kl) == len(fine.quality.rise) == 2


def test_another_codec_is_measured_too(subject: Subject, windows: list[Window]) -> None:
    assert trial(Int8(), "8bit", subject, windows).bits == pytest.approx(8.25, abs=0.05)
