"""Measure a lab model: `python -m loadtests.lab.evaluate --model DIR --data DIR --out FILE`.

Bits per byte on WikiText-2, which the model never saw, and answers to held-out phrasings.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import zstandard
from torch import Tensor
from torch.nn import functional
from transformers import AutoTokenizer, BatchEncoding, LlamaForCausalLM, PreTrainedTokenizerFast

from loadtests.lab.conversation import as_dicts
from loadtests.lab.proportion import Proportion
from loadtests.lab.tasks.base import Probe
from loadtests.lab.tasks.dialogues import Dialogues

_TEXTS = ("wikitext2-test", "wikitext2-valid")


@dataclass(frozen=True)
class Answered:
    """A probe and what the model said."""

    probe: Probe
    said: str

    @property
    def exact(self) -> bool:
        """Word for word the expected answer."""
        return self.said == self.probe.answer

    @property
    def right(self) -> bool:
        """Contains, as whole words, what every right answer contains."""
        key = re.escape(self.probe.key.strip())
        return re.search(rf"(?<!\w){key}(?!\w)", self.said, re.IGNORECASE) is not None


def windows(length: int, context: int, stride: int) -> list[tuple[int, int, int]]:
    """Cover `length` tokens: (start, first scored, end) of windows of at most `context` tokens.

    Every token is scored once, and all but the first `context` with at least `context - stride`
    tokens before it.
    """
    cover: list[tuple[int, int, int]] = []
    scored = 0
    while scored < length:
        end = min(length, context if scored == 0 else scored + stride)
        cover.append((max(0, end - context), scored, end))
        scored = end
    return cover


@torch.inference_mode()
def bits_per_byte(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, text: str, stride: int
) -> float:
    """Bits that the model needs for `text`, per byte of its UTF-8 form; BOS opens each window."""
    pieces = tokenizer(text.splitlines(keepends=True), add_special_tokens=False)["input_ids"]
    ids = torch.tensor([i for piece in pieces for i in piece])
    bos = torch.tensor([tokenizer.bos_token_id])
    nats = 0.0
    context = model.config.max_position_embeddings - 1
    for start, first, end in windows(len(ids), context, stride):
        window = torch.cat([bos, ids[start:end]])
        # Position i predicts token i + 1 of the window, which is token start + i of the text.
        hidden = model.model(window[None, :-1].to(model.device)).last_hidden_state[0]
        logits = model.lm_head(hidden[first - start :]).float()
        nats += functional.cross_entropy(
            logits, ids[first:end].to(model.device), reduction="sum"
        ).item()
    return nats / math.log(2) / len(text.encode())


def byte_entropy(text: str) -> float:
    """Bits per byte of a model that knows only how frequent each byte is."""
    counts = Counter(text.encode())
    total = sum(counts.values())
    return -sum(count / total * math.log2(count / total) for count in counts.values())


def baselines(text: str) -> dict[str, float]:
    """Bits per byte of `text` under compressors that know nothing beforehand."""
    raw = text.encode()
    packed = {
        "zstd_19": len(zstandard.ZstdCompressor(level=19).compress(raw)),
        "xz_9e": len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)),
    }
    return {
        "byte_entropy": round(byte_entropy(text), 4),
        **{name: round(8 * size / len(raw), 4) for name, size in packed.items()},
    }


@torch.inference_mode()
def answer(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    probes: Sequence[Probe],
    batch: int = 64,
) -> list[Answered]:
    """Greedy answers, up to EOS or 96 tokens."""
    answered: list[Answered] = []
    for start in range(0, len(probes), batch):
        part = probes[start : start + batch]
        prompts = tokenizer.apply_chat_template(
            [as_dicts(probe.conversation) for probe in part],
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        )
        assert isinstance(prompts, BatchEncoding)  # as `return_dict` asks
        prompts = prompts.to(model.device)
        made = _greedy(model, prompts, least=1, most=96)
        said = tokenizer.batch_decode(
            made[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True
        )
        answered += [Answered(probe, text.strip()) for probe, text in zip(part, said, strict=True)]
    return answered


def score(answered: Sequence[Answered]) -> dict[str, Any]:
    """Accuracy overall and by topic, and the first wrong answers to look at."""
    by_topic: dict[str, list[Answered]] = defaultdict(list)
    for one in answered:
        by_topic[one.probe.topic].append(one)

    def right(ones: Sequence[Answered]) -> str:
        return str(Proportion(sum(one.right for one in ones), len(ones)))

    return {
        "exact": str(Proportion(sum(one.exact for one in answered), len(answered))),
        "right": right(answered),
        "right_by_topic": {topic: right(ones) for topic, ones in sorted(by_topic.items())},
        "wrong": [
            {
                "question": one.probe.conversation[-1].content,
                "expected": one.probe.answer,
                "said": one.said,
            }
            for one in answered
            if not one.right
        ][:20],
    }


def greedy_speed(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, tokens: int = 200
) -> float:
    """Tokens per second of one greedy stream on this process's threads."""
    prompt = tokenizer("It was a dark night, and", return_tensors="pt").to(model.device)
    started = time.perf_counter()
    _greedy(model, prompt, least=tokens, most=tokens)
    return tokens / (time.perf_counter() - started)


def _greedy(model: LlamaForCausalLM, prompts: BatchEncoding, least: int, most: int) -> Tensor:
    """Prompts of shape (rows, tokens) with `least` to `most` tokens more."""
    made = model.generate(  # type: ignore[misc]
        **prompts, min_new_tokens=least, max_new_tokens=most, do_sample=False
    )
    assert isinstance(made, Tensor)  # no scores were asked for
    return made


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with wikitext2-*.txt.xz")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    parser.add_argument("--stride", type=int, default=1024, help="tokens scored per window")
    parser.add_argument("--texts", nargs="*", default=_TEXTS)
    parser.add_argument("--probes", type=int, default=Dialogues.probe_count)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    model = LlamaForCausalLM.from_pretrained(given.model, dtype=torch.float32).to(given.device)
    figures: dict[str, Any] = {}
    if given.probes:
        probes = Dialogues().probes(random.Random(given.seed))[: given.probes]
        figures["dialogues"] = score(answer(model, tokenizer, probes))
    for name in given.texts:
        with lzma.open(given.data / f"{name}.txt.xz", "rt", encoding="utf-8") as file:
            text = file.read()
        bits = bits_per_byte(model, tokenizer, text, given.stride)
        figures[name] = {"lab_model": round(bits, 4), **baselines(text)}
    figures["greedy_tokens_per_s"] = round(greedy_speed(model, tokenizer), 1)
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
