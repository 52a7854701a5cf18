import lzma
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.lab.entities import split_of
from loadtests.lab.packing import stack
from loadtests.lab.tasks.base import Split
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tasks.recall import (
    ANSWER_WEIGHT,
    Recall,
    RecallCase,
    encode,
    recall_cases,
    sentences,
)
from loadtests.lab.tokens import PROMPT_WEIGHT, LabTokenizer

FILLER = ["It rained all day, and the road was long.", "Nobody spoke of it at the table again."]
SPLITS: tuple[Split, ...] = ("train", "held_out")


def cases(split: Split, count: int, seed: int = 1, per_context: int = 1) -> list[RecallCase]:
    return list(recall_cases(split, count, random.Random(seed), FILLER, (600, 1200), per_context))


@given(st.integers(0, 2**32), st.sampled_from(SPLITS))
def test_the_context_says_the_answer_once_asked(seed: int, split: Split) -> None:
    (case,) = cases(split, 1, seed)
    assert case.answer.removeprefix(" ") in case.context
    assert case.question.startswith("\n\nQuestion: ")
    assert case.question.endswith(" Answer:")
    assert 600 <= len(case.context) < 1200 + 220


def test_cases_follow_from_the_generator_alone() -> None:
    assert cases("held_out", 5) == cases("held_out", 5)
    assert cases("held_out", 5) != cases("held_out", 5, seed=2)


def test_several_questions_share_a_context() -> None:
    four = cases("held_out", 4, per_context=2)
    assert four[0].context == four[1].context != four[2].context
    assert four[0].question != four[1].question


@pytest.mark.parametrize("split", SPLITS)
def test_subjects_are_of_the_split(split: Split) -> None:
    def named(case: RecallCase) -> set[Split]:
        return {split_of(word.strip(".?,:")) for word in case.question.split()}

    assert all(split in named(case) for case in cases(split, 50))


def test_parts_have_the_tokens_of_the_whole(tokenizer: LabTokenizer) -> None:
    for case in cases("train", 20):
        parts = (case.context, case.question, case.answer)
        whole = tokenizer.encode_text(["".join(parts)])
        assert np.array_equal(tokenizer.encode_text(parts), whole)


def test_answers_weigh_most_and_documents_end(tokenizer: LabTokenizer) -> None:
    first, second = cases("train", 2, per_context=2)
    documents = encode([[first, second], [first]], tokenizer)
    assert len(documents) == 2
    start, end = documents.starts[:2]
    tokens, weights = documents.tokens[start:end], documents.weights[start:end]
    assert (tokens[0], tokens[-1]) == (tokenizer.bos_id, tokenizer.eos_id)
    assert weights[0] == 0.0
    heavy = tokenizer.backend.decode(tokens[weights == ANSWER_WEIGHT].tolist())
    assert heavy == first.answer + second.answer
    assert set(np.unique(weights)) == {0.0, np.float32(PROMPT_WEIGHT), ANSWER_WEIGHT}


@pytest.mark.parametrize(("split", "says_again"), [("train", True), ("held_out", False)])
def test_only_training_documents_echo(
    tmp_path: Path, tokenizer: LabTokenizer, split: Split, says_again: bool
) -> None:
    path = tmp_path / "novels.txt.xz"
    novel = "It rained all day, and the road was long. " * 9
    path.write_bytes(lzma.compress("\0".join([novel] * 2).encode()))
    task = Recall(Novels(path, held_out_every=2), documents=300, echoes=0.5)
    source = task.rows(split, tokenizer, 1024, random.Random(1))
    rows = stack(list(source.epoch(np.random.default_rng(1))))
    assert ("Again:" in tokenizer.backend.decode(rows.tokens.flatten().tolist())) is says_again


def test_sentences_are_whole_and_neither_short_nor_long() -> None:
    novel = (
        "Yes. It was a bright cold\n\nday in April, they say. He ran! " + "On and on " * 30 + "."
    )
    assert sentences([novel]) == ["It was a bright cold day in April, they say."]
