from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from cachemw.stores.base import Document
from loadtests.growth.corpus import Corpus, answer_text
from loadtests.http.shots import plain_text


@pytest.fixture
def corpus() -> Corpus:
    vectors = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Corpus(["first?", "second?", "third?"], vectors, "f" * 16)


def _documents(corpus: Corpus, shape: str, count: int = 30) -> list[Document]:
    return list(islice(corpus.documents(0, count, shape), count))


def test_no_two_entries_are_the_same(corpus: Corpus) -> None:
    documents = _documents(corpus, "one")
    assert len({document.key for document in documents}) == 30
    assert [document.prompt for document in documents[2:5]] == [
        "third?",
        "first? (1)",
        "second? (1)",
    ]


def test_the_same_number_is_the_same_entry(corpus: Corpus) -> None:
    [tenth] = corpus.documents(10, 11, "many")
    again = _documents(corpus, "many")[10]
    assert (tenth.key, tenth.body, tenth.embedded) == (again.key, again.body, again.embedded)


def test_shapes(corpus: Corpus) -> None:
    def partitions(shape: str) -> int:
        documents = _documents(corpus, shape)
        return len({d.embedded.partition for d in documents if d.embedded is not None})

    assert (partitions("one"), partitions("many")) == (1, 3)


def test_vectors_past_the_real_ones_are_near_them(corpus: Corpus) -> None:
    for number in range(3):
        assert np.array_equal(corpus.vector(number), corpus.vectors[number])
        once, twice = (corpus.vector(number + 3 * turn) for turn in (1, 2))
        for vector in (once, twice):
            assert float(vector @ corpus.vectors[number]) == pytest.approx(0.9, abs=1e-4)
            assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
        assert not np.array_equal(once, twice)


def test_the_stored_answer_is_what_is_expected(corpus: Corpus) -> None:
    [document] = corpus.documents(4, 5, "many")
    assert plain_text(document.body) == answer_text(corpus.body(4, "many"))
