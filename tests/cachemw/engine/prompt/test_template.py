"""How messages and documents become segments."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

import cachemw
from cachemw.engine.prompt.segments import Prompt
from cachemw.engine.prompt.template import ChatPrompts, Document
from cachemw.errors import BadRequest
from cachemw.local.errors import UnsupportedParameter

LAB = Path(cachemw.__file__).parent / "assets" / "lab_model"
AWARE = (
    "{{ bos_token }}{% for d in documents or [] %}[{{ d.title }}]{{ d.text }}|{% endfor %}"
    "{% for m in messages %}{{ m.content }}{% endfor %}{{ eos_token }}"
)
ASK = [{"role": "user", "content": "who?"}]


@pytest.fixture
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(LAB)


def prompts(tokenizer: Any, separator: str | None = None) -> ChatPrompts:
    numbers = count()
    return ChatPrompts(
        tokenizer,
        mark=lambda: f"mark{next(numbers)}end",
        max_document_bytes=40,
        separator=separator,
    )


def encoded(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def test_a_template_that_knows_documents_places_them(tokenizer: Any) -> None:
    tokenizer.chat_template = AWARE
    prompt = prompts(tokenizer).build(ASK, [Document("red fox", "A"), Document("old dog", "B")])
    expected = [f"{tokenizer.bos_token}[A]", "red fox", "|[B]", "old dog"]
    expected.append(f"|who?{tokenizer.eos_token}")
    assert [s.tokens for s in prompt.segments] == [encoded(tokenizer, text) for text in expected]
    assert [s.reusable for s in prompt.segments] == [True, True, False, True, False]


def test_else_they_stand_in_front_of_the_last_question(tokenizer: Any) -> None:
    prompt = prompts(tokenizer).build(ASK, [Document("red fox", "A"), Document("old dog")])
    texts = [f"{tokenizer.bos_token}<|user|>", "A\nred fox\n\n", "old dog\n\n"]
    texts.append(f"who?{tokenizer.eos_token}<|assistant|>")
    assert [s.tokens for s in prompt.segments] == [encoded(tokenizer, text) for text in texts]
    assert [s.reusable for s in prompt.segments] == [True, True, True, False]


def test_without_documents_the_prompt_is_the_rendered_conversation(tokenizer: Any) -> None:
    text = tokenizer.apply_chat_template(ASK, add_generation_prompt=True, tokenize=False)
    assert prompts(tokenizer).build(ASK) == Prompt.plain(encoded(tokenizer, text))


def test_a_separator_in_a_message_cuts_passages(tokenizer: Any) -> None:
    asked = [{"role": "user", "content": "read##red fox##who?"}]
    prompt = prompts(tokenizer, "##").build(asked)
    assert [s.reusable for s in prompt.segments] == [True, True, False]
    assert prompt.segments[1].tokens == encoded(tokenizer, "red fox")


def test_control_tokens_do_not_survive_in_a_document(tokenizer: Any) -> None:
    eos = tokenizer.eos_token
    nested = eos[:2] + eos + eos[2:]
    prompt = prompts(tokenizer).build(ASK, [Document(f"red {nested}fox")])
    assert prompt == prompts(tokenizer).build(ASK, [Document("red fox")])


@pytest.mark.parametrize("text", ["", " \n", "x" * 41])
def test_an_empty_or_oversized_document_is_named(tokenizer: Any, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        prompts(tokenizer).build(ASK, [Document("fox"), Document(text)])
    assert refused.value.param == "documents[1].text"


def test_documents_need_a_question(tokenizer: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        prompts(tokenizer).build([{"role": "system", "content": "a"}], [Document("fox")])
    assert refused.value.param == "messages"


def test_a_model_without_template_has_no_chat(tokenizer: Any) -> None:
    tokenizer.chat_template = None
    with pytest.raises(UnsupportedParameter):
        prompts(tokenizer).build(ASK)
