from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.kv.models.bpe import BOS, Bpe

CONTROL = [b"<unk>", b"\n<s>\n", b"\n</s>\n"]
BYTES = [b"<0x%02X>" % value for value in range(256)]
PIECES = [b" a", b"ab", b" ab", b"bc", b" ", b"a", b"b", b"c"]
SCORES = [-1.0, 0.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0]


def tokenizer() -> Bpe:
    return Bpe([*CONTROL, *BYTES, *PIECES], [0.0] * 259 + SCORES)


def pieces(text: str) -> list[bytes]:
    bpe = tokenizer()
    first, *rest = bpe.encode(text)
    assert first == BOS
    return [bpe.pieces[number] for number in rest]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("ab", [b" ab"]),  # `ab` first, it has the best score; then ` ab`
        ("abc", [b" ab", b"c"]),
        ("bc a", [b" ", b"bc", b" a"]),
        ("a  a", [b" a", b" ", b" a"]),
        ("é", [b" ", b"<0xC3>", b"<0xA9>"]),
        ("<s>", [b" ", b"<0x3C>", b"<0x73>", b"<0x3E>"]),
    ],
)
def test_the_best_score_is_joined_first(text: str, expected: list[bytes]) -> None:
    assert pieces(text) == expected


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from("abc ")))
def test_text_survives(text: str) -> None:
    bpe = tokenizer()
    assert bpe.decode(bpe.encode(text)) == text


def test_it_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tok.bin"
    written = zip([*CONTROL, *BYTES, *PIECES], [0.0] * 259 + SCORES, strict=True)
    path.write_bytes(
        struct.pack("<i", 6)
        + b"".join(struct.pack("<fi", score, len(piece)) + piece for piece, score in written)
    )
    assert Bpe.read(path).encode("abc a") == tokenizer().encode("abc a")


def test_a_piece_over_a_space_is_refused() -> None:
    with pytest.raises(ValueError, match="over a space"):
        Bpe([*CONTROL, *BYTES, b"a b"], [0.0] * 260)
