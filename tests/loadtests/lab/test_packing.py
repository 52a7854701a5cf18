import numpy as np
import pytest

from loadtests.lab.packing import PADDING_DOCUMENT, Documents, PackedDocuments, RunningText, stack


def documents(*lengths: int) -> Documents:
    starts = np.concatenate(([0], np.cumsum(lengths)))
    tokens = np.concatenate([np.full(n, i + 1) for i, n in enumerate(lengths)])
    return Documents(tokens.astype(np.uint16), np.ones(len(tokens), dtype=np.float32), starts)


def test_each_document_is_read_once_and_whole() -> None:
    packed = PackedDocuments(documents(3, 4, 2, 5, 1), context=6, pad_id=0)
    batch = stack(list(packed.epoch(np.random.default_rng(1))))
    read = batch.tokens[batch.tokens != 0]
    assert sorted(read.tolist()) == [1] * 3 + [2] * 4 + [3] * 2 + [4] * 5 + [5]
    for row, numbers in zip(batch.tokens, batch.documents, strict=True):
        for token in set(row.tolist()) - {0}:
            assert len(set(numbers[row == token].tolist())) == 1


def test_padding_counts_for_nothing() -> None:
    packed = PackedDocuments(documents(4), context=6, pad_id=0)
    (row,) = packed.epoch(np.random.default_rng(1))
    assert row.weights.tolist() == [1, 1, 1, 1, 0, 0]
    assert row.documents.tolist() == [0, 0, 0, 0, PADDING_DOCUMENT, PADDING_DOCUMENT]


def test_a_document_longer_than_the_context_is_cut() -> None:
    packed = PackedDocuments(documents(9), context=6, pad_id=0)
    (row,) = packed.epoch(np.random.default_rng(1))
    assert row.tokens.tolist() == [1] * 6


def test_running_text_is_cut_into_windows_opened_by_bos() -> None:
    text = RunningText(np.arange(100, 150, dtype=np.uint16), context=8, bos_id=7)
    rows = list(text.epoch(np.random.default_rng(3)))
    assert all(row.tokens[0] == 7 for row in rows)
    assert all(row.weights[0] == 0 and row.weights[1:].all() for row in rows)
    read = sorted(int(token) for row in rows for token in row.tokens[1:])
    assert read == list(range(read[0], read[0] + len(read)))
    assert len(read) >= 50 - 2 * 7


@pytest.mark.parametrize("seed", [0, 1])
def test_an_epoch_is_decided_by_its_generator(seed: int) -> None:
    packed = PackedDocuments(documents(3, 4, 2, 5, 1), context=6, pad_id=0)
    first, second = (stack(list(packed.epoch(np.random.default_rng(seed)))) for _ in range(2))
    assert np.array_equal(first.tokens, second.tokens)
