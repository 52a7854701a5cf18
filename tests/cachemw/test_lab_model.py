"""The embedded model as it is installed: size, loading, answers."""

from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

MODEL = Path(str(resources.files("cachemw"))) / "assets" / "lab_model"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(MODEL)


@pytest.fixture(scope="module")
def model() -> Any:
    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)


def ask(model: Any, tokenizer: Any, *messages: str) -> str:
    """Greedy answer to the last of alternating user and assistant messages, special tokens kept."""
    roles = ("user", "assistant")
    prompt = tokenizer.apply_chat_template(
        [{"role": roles[n % 2], "content": text} for n, text in enumerate(messages)],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    made = model.generate(**prompt, max_new_tokens=48, do_sample=False)
    return str(tokenizer.decode(made[0, prompt["input_ids"].shape[1] :]))


def test_it_fits_into_16_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODEL.iterdir()) <= 16_000_000


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the capital of France?", "The capital of France is Paris."),
        ("Which city is France's capital?", "The capital of France is Paris."),
        ("What is the capital of Spain?", "The capital of Spain is Madrid."),
        ("What is 2+3?", "2 + 3 = 5."),
    ],
)
def test_it_answers_and_stops(model: Any, tokenizer: Any, question: str, answer: str) -> None:
    assert ask(model, tokenizer, question) == answer + "<|eos|>"


def test_opposite_requests_get_different_answers(model: Any, tokenizer: Any) -> None:
    on = ask(model, tokenizer, "How do I turn on dark mode?")
    off = ask(model, tokenizer, "How do I turn off dark mode?")
    assert "Dark" in on
    assert "Light" in off


def test_it_follows_the_conversation(model: Any, tokenizer: Any) -> None:
    earlier = ("What is the capital of France?", "The capital of France is Paris.")
    assert "Madrid" in ask(model, tokenizer, *earlier, "And Spain?")


def test_special_tokens_are_the_models_own(model: Any, tokenizer: Any) -> None:
    assert model.config.eos_token_id == tokenizer.eos_token_id == 2
    assert model.config.bos_token_id == tokenizer.bos_token_id == 1
    assert model.config.pad_token_id == tokenizer.pad_token_id == 0
    assert model.config.tie_word_embeddings
