from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cachemw.embed.model_files import find_model
from cachemw.verify.cross_encoder import CrossEncoder, PairTokens, probabilities

TOKENS = PairTokens(find_model("minilm").directory / "tokenizer.json")


class RecordingSession:
    """Answers each row with its token count; keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, NDArray[np.int64]]] = []
        self.closed = False

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        self.given.append(dict(inputs))
        counts: NDArray[np.int64] = inputs["attention_mask"].sum(axis=1, keepdims=True)
        return counts.astype(np.float32)

    def close(self) -> None:
        self.closed = True


def test_a_pair_is_laid_out_as_in_training() -> None:
    session = RecordingSession()
    CrossEncoder(TOKENS, session).logits([("Hello there", "hello")])
    (inputs,) = session.given
    assert inputs["input_ids"].tolist() == [[101, 7592, 2045, 102, 7592, 102, 0, 0]]
    assert inputs["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 0, 0]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 1, 0, 0]]
    assert all(value.dtype == np.int64 for value in inputs.values())


def test_each_question_is_cut_on_its_own() -> None:
    session = RecordingSession()
    found = CrossEncoder(TOKENS, session).logits(
        [("hello " * 300, "one"), ("one", "hello " * 300), ("hello " * 300, "there " * 300)]
    )
    assert found.tolist() == [84, 84, 163]
    long = session.given[-1]
    first, second = (long["token_type_ids"][-1] == kind for kind in (0, 1))
    assert (long["input_ids"][-1][first][:82] == [101, *[7592] * 80, 102]).all()
    assert (long["input_ids"][-1][second] == [*[2045] * 80, 102]).all()


def test_special_tokens_in_a_question_do_not_end_it_early() -> None:
    session = RecordingSession()
    CrossEncoder(TOKENS, session).logits([("a [SEP] b", "c")])
    types = session.given[0]["token_type_ids"][0]
    ids = session.given[0]["input_ids"][0]
    assert types.sum() == 2
    assert ids[types == 1].tolist() == [1039, 102]


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=30))
def test_scores_keep_their_order_in_small_batches_of_few_shapes(
    lengths: list[tuple[int, int]],
) -> None:
    session = RecordingSession()
    found = CrossEncoder(TOKENS, session).logits([("hi " * a, "hi " * b) for a, b in lengths])
    assert found.tolist() == [min(a, 80) + min(b, 80) + 3 for a, b in lengths]
    for call in session.given:
        rows, width = call["input_ids"].shape
        assert rows <= 4
        assert width % 8 == 0
        assert not call["input_ids"][call["attention_mask"] == 0].any()


def test_closing_releases_the_session() -> None:
    session = RecordingSession()
    CrossEncoder(TOKENS, session).close()
    assert session.closed


@given(arrays(np.float32, st.integers(0, 20), elements=st.floats(-1e6, 1e6, width=32)))
def test_probabilities_are_the_logistic_function_and_never_overflow(
    logits: NDArray[np.float32],
) -> None:
    found = probabilities(logits)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    with np.errstate(over="ignore"):
        assert np.allclose(found, 1 / (1 + np.exp(-logits.astype(np.float64))), atol=1e-6)
