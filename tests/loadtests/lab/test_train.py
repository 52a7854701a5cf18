import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from loadtests.lab.conversation import Message
from loadtests.lab.packing import PackedDocuments, RowSource
from loadtests.lab.tasks.base import Split, Task
from loadtests.lab.tokens import LabTokenizer
from loadtests.lab.train import Plan, train


@dataclass(frozen=True)
class Greeting(Task):
    """One dialogue, over and over."""

    name: ClassVar[str] = "greeting"

    def texts(self, rng: random.Random) -> Iterable[str]:
        return ["Hello there.", "Good day to you!"]

    def rows(
        self, split: Split, tokenizer: LabTokenizer, context: int, rng: random.Random
    ) -> RowSource:
        dialogue = (Message("user", "Hello there."), Message("assistant", "Good day to you!"))
        documents = tokenizer.encode_conversations([dialogue] * 8)
        return PackedDocuments(documents, context, tokenizer.pad_id)


def test_a_run_learns_saves_and_loads(tmp_path: Path) -> None:
    plan = Plan(
        steps=30, rows=2, context=32, vocabulary=300, warmup=5, validate_every=30, validation_rows=2
    )
    log = train([(Greeting(), 1.0)], plan, tmp_path, torch.device("cpu"))
    losses = [row["loss"] for row in log.losses if "loss" in row]
    assert losses[-1] < losses[0] / 4
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path)
    model: Any = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello there."}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    made = model.generate(**prompt, max_new_tokens=20, do_sample=False)
    said = tokenizer.decode(made[0, prompt["input_ids"].shape[1] :])
    assert said == "Good day to you!<|eos|>"


def test_the_clock_ends_a_run_that_would_be_too_long(tmp_path: Path) -> None:
    plan = Plan(steps=10**6, rows=2, context=32, vocabulary=300, validation_rows=2, minutes=0.02)
    log = train([(Greeting(), 1.0)], plan, tmp_path, torch.device("cpu"))
    assert log.losses[-2]["step"] < 10**6 - 1
    assert "held_out" in log.losses[-2]
    assert (tmp_path / "model.safetensors").exists()
