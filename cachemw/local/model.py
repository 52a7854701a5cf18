"""A causal LM and its tokenizer, loaded with transformers: the only module that imports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jinja2.exceptions import TemplateError
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from cachemw.errors import BadRequest
from cachemw.local.detokenise import REPLACEMENT
from cachemw.local.errors import UnsupportedParameter
from cachemw.local.sampling import SamplingParams


class CachedSequence:
    """A `TokenSequence` over a transformers model, batch of one, with a `DynamicCache`."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._cache = DynamicCache(config=model.config)

    @torch.inference_mode()
    def feed(self, tokens: Sequence[int]) -> Tensor:
        """Append tokens; return the logits after the last, `[vocab]` float32."""
        output = self._model(
            input_ids=torch.tensor([tokens]),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,  # the head over the whole prompt would be thrown away
        )
        logits: Tensor = output.logits[0, -1]
        return logits.float()


class LoadedModel:
    """A model ready to step, and the text side that belongs to it.

    `context_length` is in tokens; token ids are below `vocabulary`; `end_tokens` end a text.
    `defaults` are the sampling parameters where the client sends none: those of the model's
    `generation_config.json`, else OpenAI's.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model = model
        self._model.train(mode=False)
        self._tokenizer = tokenizer
        self.context_length = int(model.config.get_text_config().max_position_embeddings)
        self.vocabulary = int(model.config.get_text_config().vocab_size)
        self.defaults = _sampling_defaults(model)
        self.end_tokens = _end_tokens(model, tokenizer)
        added = tokenizer.added_tokens_decoder.values()
        self._control_tokens = tuple(token.content for token in added if token.special)

    def sequence(self) -> CachedSequence:
        """Begin a sequence with an empty KV cache."""
        return CachedSequence(self._model)

    def encode(self, text: str) -> list[int]:
        """Token ids of a plain prompt, with the special tokens that the tokenizer adds."""
        return list(self._tokenizer.encode(text, verbose=False))

    def encode_chat(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Token ids of a conversation in the model's chat template, opened for the answer.

        Raises `UnsupportedParameter` when there is no template and `BadRequest` when the template
        refuses the conversation.
        """
        if self._tokenizer.chat_template is None:
            raise UnsupportedParameter("this model has no chat template", param="messages")
        try:
            text = self._tokenizer.apply_chat_template(
                [self._harmless(message) for message in messages],
                add_generation_prompt=True,
                tokenize=False,
            )
        except (TemplateError, TypeError, ValueError) as error:  # a template is a program
            # Its message may quote the conversation; its type never does.
            raise BadRequest(
                f"the model's chat template refuses these messages ({type(error).__name__})",
                param="messages",
            ) from None
        # The template writes the special tokens itself.
        return list(self._tokenizer.encode(str(text), add_special_tokens=False, verbose=False))

    def _harmless(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Take control tokens out of a text, or a user could write the system's turn."""
        content = message.get("content")
        if not isinstance(content, str):
            return dict(message)
        before = None
        while before != content:  # taking one out can put another together
            before = content
            for token in self._control_tokens:
                content = content.replace(token, "")
        return {**message, "content": content}

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of the tokens, special tokens left out, undecodable bytes as U+FFFD."""
        return str(
            self._tokenizer.decode(
                list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def token_bytes(self, token: int) -> tuple[str, list[int] | None]:
        """Text of a token alone and its UTF-8 bytes, None when it is no whole character."""
        text = str(self._tokenizer.decode([token], clean_up_tokenization_spaces=False))
        return text, None if REPLACEMENT in text else list(text.encode())

    def warm_up(self) -> None:
        """Pay for lazy imports and first allocations now, not in the first request."""
        if self._tokenizer.chat_template is not None:
            self.encode_chat([{"role": "user", "content": "."}])
        self.sequence().feed((0,))


def load_model(source: str, *, threads: int) -> LoadedModel:
    """Load a directory or a hub name in float32 on the CPU; `threads` is for the whole process.

    Raises what transformers raises (`OSError`, `ValueError`) when `source` is not a causal LM.
    """
    torch.set_num_threads(threads)
    disable_progress_bar()  # type: ignore[no-untyped-call]  # stderr is for what went wrong
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    loaded = LoadedModel(model, tokenizer)
    loaded.warm_up()
    return loaded


def _sampling_defaults(model: PreTrainedModel) -> SamplingParams:
    config = model.generation_config
    openai = SamplingParams()
    if config is None:
        return openai
    return SamplingParams(
        temperature=openai.temperature if config.temperature is None else config.temperature,
        top_p=openai.top_p if config.top_p is None else config.top_p,
        top_k=openai.top_k if config.top_k is None else config.top_k,
    )


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    config = model.generation_config
    configured = None if config is None else config.eos_token_id
    ends = {configured} if isinstance(configured, int) else set(configured or ())
    if isinstance(tokenizer.eos_token_id, int):
        ends.add(tokenizer.eos_token_id)
    return frozenset(ends)
