from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cachemw.embed.graph_embedder import GraphEmbedder, Tokens, split_by_length
from cachemw.embed.manifest import read_manifest


@given(st.lists(st.integers(1, 512), max_size=80), st.integers(1, 2048))
def test_groups_cover_everything_within_the_budget(lengths: list[int], budget: int) -> None:
    groups = list(split_by_length(lengths, budget))
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[index] for index in group)
        assert len(group) == 1 or len(group) * longest <= budget


class RecordingSession:
    """Answers each row with its token count in the first place; keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, NDArray[np.int64]]] = []

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        self.given.append(dict(inputs))
        counts = inputs["attention_mask"].sum(axis=1)
        return np.stack([counts, counts * 0], axis=1).astype(np.float32)

    def close(self) -> None:
        pass


def embedder_on(session: RecordingSession, graph: Path) -> GraphEmbedder:
    return GraphEmbedder(
        name="m",
        fingerprint="f",
        runtime="r",
        dimension=2,
        tokens=Tokens.load(graph, read_manifest(graph)),
        session=session,
    )


def test_a_single_text_has_no_padding_and_is_cut_at_the_limit(openvino_graph: Path) -> None:
    session = RecordingSession()
    embedder = embedder_on(session, openvino_graph)
    embedder.embed(["hello there"])
    embedder.embed(["hello " * 600])
    assert [call["input_ids"].shape for call in session.given] == [(1, 4), (1, 256)]
    assert all(call["attention_mask"].all() for call in session.given)
    assert session.given[1]["input_ids"][0, -1] == 102  # [SEP] survives the cut


def test_results_keep_the_order_of_the_texts(openvino_graph: Path) -> None:
    session = RecordingSession()
    texts = ["hello " * n for n in (300, 1, 40, 0, 300, 300, 300, 2)]
    vectors = embedder_on(session, openvino_graph).embed(texts)
    assert vectors[:, 0].tolist() == [256, 3, 42, 2, 256, 256, 256, 4]
    for call in session.given:
        padding = call["attention_mask"] == 0
        assert not call["input_ids"][padding].any()
        assert call["input_ids"].size <= 1024


def test_no_texts_give_no_rows(openvino_graph: Path) -> None:
    assert embedder_on(RecordingSession(), openvino_graph).embed([]).shape == (0, 2)


def test_only_texts_over_the_limit_are_cut(openvino_graph: Path) -> None:
    embedder = embedder_on(RecordingSession(), openvino_graph)
    assert not embedder.cuts("")
    assert not embedder.cuts("hello " * 254)  # and two special tokens
    assert embedder.cuts("hello " * 255)
