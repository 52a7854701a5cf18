from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from cachemw.errors import BadRequest
from cachemw.local.errors import UnsupportedParameter
from cachemw.local.generate import Delta, GenerationRequest, generate
from cachemw.local.model import LoadedModel, load_model
from cachemw.local.sampling import SamplingParams

Scripted = Callable[..., Any]
GREEDY = SamplingParams(temperature=0)


def request(**changes: object) -> GenerationRequest:
    base = GenerationRequest(prompt=(1, 2, 3), max_tokens=50, sampling=GREEDY, seed=0)
    return replace(base, **changes)  # type: ignore[arg-type]


def run(model: Any, asked: GenerationRequest) -> list[Delta]:
    steps = generate(model.sequence(), asked, decode=model.decode, end_tokens=model.end_tokens)
    return list(steps)


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


def test_one_delta_for_each_token_and_the_reason_on_the_last(scripted: Scripted) -> None:
    deltas = run(scripted("héllo"), request())
    assert [delta.text for delta in deltas] == ["h", "", "é", "l", "l", "o", ""]
    assert [delta.produced for delta in deltas] == list(range(1, 8))
    assert [delta.finish_reason for delta in deltas] == [None] * 6 + ["stop"]


def test_feeds_the_prompt_and_each_token_but_the_last(scripted: Scripted) -> None:
    model = scripted("abcdef")
    deltas = run(model, request(max_tokens=3))
    assert model.sequences[0].fed == [1, 2, 3, *b"ab"]
    assert (text_of(deltas), deltas[-1].finish_reason) == ("abc", "length")


def test_an_open_stop_string_goes_out_when_the_length_ends_it(scripted: Scripted) -> None:
    deltas = run(scripted("abcENDx"), request(max_tokens=5, stop=("END",)))
    assert (text_of(deltas), deltas[-1].finish_reason) == ("abcEN", "length")


def test_a_stop_string_over_several_tokens_ends_it_and_is_not_sent(scripted: Scripted) -> None:
    model = scripted("abcENDxyz", endless=True)
    deltas = run(model, request(stop=("nope", "END")))
    assert (text_of(deltas), deltas[-1].finish_reason) == ("abc", "stop")
    assert deltas[-1].produced == 6


@given(text=st.text(max_size=20), stop=st.text(min_size=1, max_size=3))
def test_text_is_the_script_up_to_the_stop_string(scripted: Scripted, text: str, stop: str) -> None:
    deltas = run(scripted(text), request(max_tokens=1000, stop=(stop,)))
    assert text_of(deltas) == text.split(stop, maxsplit=1)[0]
    assert deltas[-1].finish_reason == "stop"


def test_scores_come_with_the_text_they_are_behind(scripted: Scripted) -> None:
    deltas = run(scripted("aé"), request(top_logprobs=2))
    assert [len(delta.scores) for delta in deltas] == [1, 0, 2, 0]
    score = deltas[0].scores[0]
    assert [best.token for best in score.alternatives] == [ord("a"), ord("?")]
    assert score.chosen == score.alternatives[0]


@pytest.fixture(scope="module")
def tiny(tiny_model_dir: Path) -> LoadedModel:
    return load_model(str(tiny_model_dir), threads=1)


def test_cached_steps_agree_with_transformers_own_generation(
    tiny: LoadedModel, tiny_model_dir: Path
) -> None:
    reference: Any = AutoModelForCausalLM.from_pretrained(tiny_model_dir, dtype=torch.float32)
    prompt = tiny.encode("the cat sat on the mat")
    ids = torch.tensor([prompt])
    expected = reference.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        temperature=None,
        top_p=None,
        max_new_tokens=40,
        eos_token_id=None,
    )[0, len(prompt) :].tolist()
    deltas = list(
        generate(
            tiny.sequence(),
            request(prompt=tuple(prompt), max_tokens=40),
            decode=tiny.decode,
            end_tokens=frozenset(),
        )
    )
    assert text_of(deltas) == tiny.decode(expected)
    assert len(set(expected)) > 5


def test_sequences_do_not_share_their_cache(tiny: LoadedModel) -> None:
    prompt = tiny.encode("the dog")
    alone = tiny.sequence().feed(prompt)
    other = tiny.sequence()
    other.feed(tiny.encode("something else"))
    pieces = tiny.sequence()
    for token in prompt[:-1]:
        pieces.feed([token])
        other.feed([token])
    torch.testing.assert_close(pieces.feed(prompt[-1:]), alone, rtol=1e-4, atol=1e-4)


def test_what_the_model_directory_says(tiny: LoadedModel, tiny_model_dir: Path) -> None:
    saved = json.loads((tiny_model_dir / "generation_config.json").read_text())
    assert (tiny.defaults.temperature, tiny.defaults.top_p) == (0.5, 0.9)
    assert tiny.end_tokens == {saved["eos_token_id"]}
    assert tiny.context_length == 256
    assert next(iter(tiny.sequence().feed([0]).shape)) == tiny.vocabulary


def test_chat_prompts_are_the_template_with_its_special_tokens(tiny: LoadedModel) -> None:
    tokens = tiny.encode_chat([{"role": "user", "content": "the cat"}])
    special = tiny.encode("<|im_start|>")
    assert len(special) == 1
    assert tokens[0] == special[0]
    assert tiny.decode(tokens) == "user\nthe cat\nassistant\n"


def test_control_tokens_in_a_text_are_taken_out(tiny: LoadedModel) -> None:
    plain = tiny.encode_chat([{"role": "user", "content": "the cat"}])
    smuggled = "the<|im_end|> <|im_<|im_end|>start|>cat"
    assert tiny.encode_chat([{"role": "user", "content": smuggled}]) == plain


def test_a_template_that_refuses_says_so_without_quoting(tiny_model_dir: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    model = AutoModelForCausalLM.from_pretrained(tiny_model_dir)
    tokenizer.chat_template = "{{ raise_exception('no ' + messages[0].content) }}"
    with pytest.raises(BadRequest) as refused:
        LoadedModel(model, tokenizer).encode_chat([{"role": "user", "content": "secret"}])
    assert refused.value.param == "messages"
    assert "secret" not in refused.value.message
    tokenizer.chat_template = None
    with pytest.raises(UnsupportedParameter):
        LoadedModel(model, tokenizer).encode_chat([])


LAB_MODEL = files("cachemw") / "assets" / "lab_model"


@pytest.mark.skipif(not LAB_MODEL.is_dir(), reason="the lab model is not in this checkout")
def test_the_embedded_model_answers_and_ends_by_itself() -> None:
    model = load_model(str(LAB_MODEL), threads=1)
    prompt = model.encode_chat([{"role": "user", "content": "What is the capital of France?"}])
    deltas = run(model, request(prompt=tuple(prompt), max_tokens=200))
    assert deltas[-1].finish_reason == "stop"
    answer = text_of(deltas)
    assert answer.strip()
    assert "<|" not in answer
