"""Documents and embeddings compare by value, arrays included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from cachemw.stores.base import Document, Embedded, IndexRow

Make = Callable[..., Document]
MakeEmbedded = Callable[..., Embedded]


def copy_of(embedded: Embedded) -> Embedded:
    return replace(embedded, vector=embedded.vector.copy())


def test_embeddings_with_equal_numbers_are_equal(make_embedded: MakeEmbedded) -> None:
    embedded = make_embedded(1)
    assert embedded == copy_of(embedded)
    assert hash(embedded) == hash(copy_of(embedded))
    assert len({embedded, copy_of(embedded)}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"partition": b"other"},
        {"fingerprint": "other"},
        {"vector": np.zeros(8, np.float32)},
        {"vector": np.zeros(3, np.float32)},
    ],
    ids=["partition", "fingerprint", "vector", "dimension"],
)
def test_embeddings_that_differ_are_not_equal(
    make_embedded: MakeEmbedded, change: dict[str, object]
) -> None:
    embedded = make_embedded(1)
    changed: Embedded = replace(embedded, **change)  # type: ignore[arg-type]
    assert embedded != changed


def test_embedding_equals_nothing_else(make_embedded: MakeEmbedded) -> None:
    embedded = make_embedded(1)
    assert embedded != (embedded.partition, embedded.fingerprint, embedded.vector)
    assert embedded != None  # noqa: E711 - the comparison is what is tested


def test_embedding_is_frozen_and_slotted(make_embedded: MakeEmbedded) -> None:
    embedded = make_embedded(1)
    with pytest.raises(FrozenInstanceError):
        embedded.partition = b""  # type: ignore[misc]
    assert not hasattr(embedded, "__dict__")


def test_documents_and_rows_compare_with_their_embeddings(
    make_document: Make, make_embedded: MakeEmbedded
) -> None:
    one, other = make_embedded(1), make_embedded(2)
    document = make_document(1, embedded=one)
    assert document == make_document(1, embedded=copy_of(one))
    assert hash(document) == hash(make_document(1, embedded=copy_of(one)))
    assert document != make_document(1, embedded=other)
    assert document != make_document(1)
    row = IndexRow(document.key, document.expires_at, one)
    assert row == replace(row, embedded=copy_of(one))
    assert row != replace(row, embedded=other)
