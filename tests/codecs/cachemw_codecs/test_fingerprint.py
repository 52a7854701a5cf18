from __future__ import annotations

from dataclasses import replace

import pytest
from cachemw_codecs.errors import WrongModel
from cachemw_codecs.fingerprint import DIGEST_BYTES, Fingerprint, digest

ROPE = {"theta": 10_000, "scaling": {"type": "yarn", "factor": 4.0}}
OURS = Fingerprint.of("model at revision 1", {"a": 0, "b": 1}, ROPE)


def test_a_digest_is_of_the_value_and_not_of_its_order() -> None:
    assert digest({"a": 1, "b": [2, 3]}) == digest({"b": [2, 3], "a": 1})
    assert digest({"a": 1, "b": [2, 3]}) != digest({"a": 1, "b": [3, 2]})
    assert len(digest(None)) == DIGEST_BYTES


def test_a_digest_is_the_same_in_every_release() -> None:
    # Stored in containers: another one would refuse all that was written before.
    assert digest({"theta": 10_000, "name": "é"}).hex() == "bed40ebbc0823ed387a3af540a8ca328"


def test_equal_parts_give_equal_fingerprints() -> None:
    again = Fingerprint.of("model at revision 1", {"b": 1, "a": 0}, dict(reversed(ROPE.items())))
    assert again == OURS
    again.require(OURS)


@pytest.mark.parametrize("name", ["model", "tokenizer", "rope"])
def test_what_differs_is_named(name: str) -> None:
    other = replace(OURS, **{name: bytes(DIGEST_BYTES)})
    with pytest.raises(WrongModel, match=f"another {name}$"):
        other.require(OURS)


def test_all_that_differs_is_named() -> None:
    other = Fingerprint.of("model at revision 2", {"a": 0, "b": 1}, {**ROPE, "theta": 500_000})
    with pytest.raises(WrongModel, match=r"another model and rope$"):
        other.require(OURS)


def test_a_switch_of_scaling_is_another_rope() -> None:
    plain = Fingerprint.of("model at revision 1", {"a": 0, "b": 1}, {"theta": 10_000})
    with pytest.raises(WrongModel, match=r"another rope$"):
        plain.require(OURS)


@pytest.mark.parametrize("name", ["model", "tokenizer", "rope"])
@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_digest_of_another_length_is_a_fault_of_the_program(name: str, length: int) -> None:
    with pytest.raises(ValueError, match=name):
        replace(OURS, **{name: bytes(length)})
