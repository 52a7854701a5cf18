from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from cachemw.local.detokenise import REPLACEMENT, Detokeniser


def decode_bytes(tokens: Sequence[int]) -> str:
    return bytes(tokens).decode(errors="replace")


@given(st.text())
def test_whole_characters_only(text: str) -> None:
    detokeniser = Detokeniser(decode_bytes)
    pieces = [detokeniser.push(byte) for byte in text.encode()]
    assert "".join(pieces) + detokeniser.flush() == text
    if REPLACEMENT not in text:
        assert not any(REPLACEMENT in piece for piece in pieces)


@given(st.text(st.characters(codec="utf-8", exclude_characters=REPLACEMENT), min_size=1))
def test_a_character_goes_out_with_its_last_byte(text: str) -> None:
    detokeniser = Detokeniser(decode_bytes)
    for character in text:
        *head, last = [detokeniser.push(byte) for byte in character.encode()]
        assert not any(head)
        assert last == character


@given(st.binary(max_size=60))
def test_any_bytes_come_to_the_same_as_decoding_them_at_once(raw: bytes) -> None:
    detokeniser = Detokeniser(decode_bytes)
    text = "".join(map(detokeniser.push, raw)) + detokeniser.flush()
    assert text == decode_bytes(list(raw))


@given(st.data())
def test_any_tokens_of_a_byte_level_bpe(
    tiny_tokenizer: PreTrainedTokenizerFast, data: st.DataObject
) -> None:
    tokens = data.draw(st.lists(st.integers(0, len(tiny_tokenizer) - 1), max_size=40))

    def decode(ids: Sequence[int]) -> str:
        return str(tiny_tokenizer.decode(list(ids), skip_special_tokens=True))

    detokeniser = Detokeniser(decode)
    assert "".join(map(detokeniser.push, tokens)) + detokeniser.flush() == decode(tokens)


@given(st.lists(st.sampled_from([[0], [1], [2], [3, 4], [5]]), max_size=20))
def test_spaces_and_byte_tokens_of_a_sentencepiece_decoder(units: list[list[int]]) -> None:
    tokens = [token for unit in units for token in unit]
    words = ["▁the", "▁cat", "s", "<0xC3>", "<0xA9>", "▁"]
    backend = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, []))
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    detokeniser = Detokeniser(lambda ids: str(backend.decode(list(ids))))
    text = "".join(map(detokeniser.push, tokens)) + detokeniser.flush()
    assert text == backend.decode(tokens)
