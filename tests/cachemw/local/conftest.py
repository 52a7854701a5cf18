"""A scripted model that needs no weights, and a tiny random Llama that has some."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import uvicorn
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from cachemw.local.app import build_app
from cachemw.local.generate import Delta
from cachemw.local.sampling import SamplingParams
from cachemw.local.scheduler import TurnScheduler

END = 256
"""The scripted model's end-of-sequence token; below it, a token is a byte."""

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class ScriptedSequence:
    """Makes the bytes of a script all but certain, one after the other, whatever it is fed."""

    def __init__(self, script: Iterator[int], second: int) -> None:
        self._script = script
        self._second = second
        self.fed: list[int] = []

    def feed(self, tokens: Sequence[int]) -> Tensor:
        self.fed.extend(tokens)
        logits = torch.zeros(END + 1)
        logits[self._second] = 1.0
        logits[next(self._script)] = 20.0
        return logits


class ScriptedModel:
    """A `ServedModel` that always says `text`: once and then ends, or for ever."""

    context_length = 10**9
    vocabulary = END + 1
    defaults = SamplingParams(temperature=0.0)
    end_tokens = frozenset({END})

    def __init__(self, text: str | bytes, *, endless: bool = False) -> None:
        script = text.encode() if isinstance(text, str) else text
        self._script = script
        self._endless = endless
        self.sequences: list[ScriptedSequence] = []

    def sequence(self) -> ScriptedSequence:
        tokens = itertools.cycle(self._script) if self._endless else iter([*self._script, END])
        self.sequences.append(ScriptedSequence(tokens, second=ord("?")))
        return self.sequences[-1]

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def encode_chat(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        return self.encode("".join(f"{m['role']}:{m['content']}\n" for m in messages))

    def decode(self, tokens: Sequence[int]) -> str:
        return bytes(token for token in tokens if token != END).decode(errors="replace")

    def token_bytes(self, token: int) -> tuple[str, list[int] | None]:
        return self.decode([token]), [token]


@pytest.fixture(scope="session")
def scripted() -> type[ScriptedModel]:
    return ScriptedModel


Serve = Callable[..., AbstractContextManager[Path]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`serve(model, max_active=, max_waiting=)` serves a model in a thread; yields its socket."""

    @contextmanager
    def serving(
        model: ScriptedModel, *, max_active: int = 4, max_waiting: int = 8
    ) -> Iterator[Path]:
        socket = tmp_path / "app.sock"
        scheduler: TurnScheduler[Delta] = TurnScheduler(
            max_active=max_active, max_waiting=max_waiting
        )
        config = uvicorn.Config(
            build_app(model, "scripted", scheduler),
            uds=str(socket),
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                thread.join(0.01)
                assert thread.is_alive()
            yield socket
        finally:
            server.should_exit = True
            thread.join()

    return serving


@pytest.fixture(scope="session")
def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of a few merges, with a chat template."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(["the cat sat on the mat, the dog too"] * 20, trainer)
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


@pytest.fixture(scope="session")
def tiny_model_dir(
    tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: PreTrainedTokenizerFast
) -> Path:
    """Save a random two-layer Llama, context 256, as transformers would publish it."""
    directory = tmp_path_factory.mktemp("tiny")
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.5,  # far from uniform, so that a wrong cache shows in the argmax
        tie_word_embeddings=True,
        eos_token_id=tiny_tokenizer.eos_token_id,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        temperature=0.5, top_p=0.9, do_sample=True, eos_token_id=tiny_tokenizer.eos_token_id
    )
    model.save_pretrained(directory)
    tiny_tokenizer.save_pretrained(directory)
    return directory
