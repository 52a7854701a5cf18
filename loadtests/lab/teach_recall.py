"""Teach a trained model exact recall: `python -m loadtests.lab.teach_recall --start DIR --out DIR`.

For machines without an accelerator: minutes on one core. Short documents that say their text twice
come first, from which a model learns to look back; then contexts grow to those of the cases.
Between them it rehearses novels and dialogues. Computes in bfloat16 beside float32 weights.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoTokenizer, LlamaForCausalLM

from loadtests.lab.packing import Documents
from loadtests.lab.tasks.dialogues import Dialogues
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tasks.recall import (
    CASE_CHARACTERS,
    RecallCase,
    document,
    echo,
    encode,
    sentences,
)
from loadtests.lab.tokens import LabTokenizer

Batch = tuple[Tensor, Tensor]
"""Tokens and the weights of predicting them, both of shape (rows, tokens)."""

_SHORT_PART = 0.55
_SHORT_CHARACTERS = (60, 180)
_WARMUP = 30
_PEAK_RATE = 1.5e-3
#: Tokens of a batch, roughly: many small steps teach sooner than few large ones.
_SHORT_TOKENS, _TOKENS = 500, 1_400
_REHEARSAL_WINDOW = 350
#: Of a document's context; its questions come on top.
_CHARACTERS_PER_TOKEN = 2.0


class Lessons:
    """Batches for each part of the run, all of one seed."""

    def __init__(self, tokenizer: LabTokenizer, novels: Novels, seed: int) -> None:
        self._tokenizer = tokenizer
        self._rng = random.Random(seed)
        texts = novels.novels("train")
        self._filler = sentences(texts)
        self._novels = tokenizer.encode_text([text[20_000:40_000] for text in texts])
        self._dialogues = list(Dialogues().conversations("train", 4_000, self._rng))

    def batch(self, done: float) -> Batch:
        """Give a batch for when `done` of the run is over."""
        if self._rng.random() < (0.1 if done < _SHORT_PART else 0.2):
            return self._rehearsal()
        if done < _SHORT_PART:
            (low, high), size = _SHORT_CHARACTERS, _SHORT_TOKENS
        else:
            (low, high), size = (_SHORT_CHARACTERS[1], CASE_CHARACTERS[1]), _TOKENS
        # Rows of a batch are of like length, the shortest of three times as many: what pads them
        # would be computed for nothing.
        characters = math.exp(self._rng.uniform(math.log(low), math.log(high)))
        rows = max(1, round(size / (characters / _CHARACTERS_PER_TOKEN)))
        span = (int(characters), int(characters * 1.1))
        echoes = 0.5 if done < _SHORT_PART else 0.1
        drawn = [
            [echo("train", self._rng, self._filler, span)]
            if self._rng.random() < echoes and characters < _SHORT_CHARACTERS[1]
            else document("train", self._rng, self._filler, span)
            for _ in range(3 * rows)
        ]
        drawn.sort(key=lambda cases: sum(map(_length, cases), len(cases[0].context)))
        return _padded(encode(drawn[:rows], self._tokenizer))

    def _rehearsal(self) -> Batch:
        if self._rng.random() < 0.5:
            drawn = self._rng.sample(self._dialogues, 16)
            return _padded(self._tokenizer.encode_conversations(drawn))
        ends = len(self._novels) - _REHEARSAL_WINDOW
        cuts = [self._rng.randrange(ends) for _ in range(_TOKENS // _REHEARSAL_WINDOW)]
        windows = np.stack([self._novels[cut : cut + _REHEARSAL_WINDOW] for cut in cuts])
        tokens = torch.from_numpy(windows.astype(np.int64))
        opened = torch.cat([torch.full((len(cuts), 1), self._tokenizer.bos_id), tokens], dim=1)
        return opened, torch.ones(opened.shape)


def _length(case: RecallCase) -> int:
    return len(case.question) + len(case.answer)


def _padded(documents: Documents) -> Batch:
    def rows(values: np.ndarray[tuple[int], np.dtype[np.generic]]) -> Iterator[Tensor]:
        pairs = zip(documents.starts, documents.starts[1:], strict=False)
        return (torch.from_numpy(values[start:end]) for start, end in pairs)

    tokens = pad_sequence(list(rows(documents.tokens.astype(np.int64))), batch_first=True)
    weights = pad_sequence(list(rows(documents.weights)), batch_first=True)
    return tokens[:, :2048], weights[:, :2048]


class Teacher:
    """A bfloat16 model, and the float32 weights that its steps change."""

    def __init__(self, model: LlamaForCausalLM) -> None:
        self._model = model
        self._weights = [p.detach().float().requires_grad_() for p in model.parameters()]
        self._optimizer = torch.optim.AdamW(self._weights, betas=(0.9, 0.95), weight_decay=0.01)

    def step(self, batch: Batch, rate: float) -> tuple[float, float | None]:
        """One update; the loss, and for how many tokens of answers the model chose right.

        The latter as a share, None where the batch has no answers.
        """
        tokens, weights = batch
        logits = self._model(tokens[:, :-1], use_cache=False).logits.float().flatten(0, 1)
        wanted, counted = tokens[:, 1:].flatten(), weights[:, 1:].flatten()
        losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
        loss = (losses * counted).sum() / counted.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        for weight, parameter in zip(self._weights, self._model.parameters(), strict=True):
            assert parameter.grad is not None  # every weight has a part in every loss
            weight.grad, parameter.grad = parameter.grad.float(), None
        torch.nn.utils.clip_grad_norm_(self._weights, 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        with torch.no_grad():
            for weight, parameter in zip(self._weights, self._model.parameters(), strict=True):
                parameter.copy_(weight)
        right = (logits.argmax(-1) == wanted)[counted > 1.0].float()
        return loss.item(), right.mean().item() if len(right) else None


def rate(step: int, done: float) -> float:
    """Peak after warm-up, falling in a line to nothing over the second half of the run."""
    return _PEAK_RATE * min(1.0, (step + 1) / _WARMUP, 2 * (1 - done))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=Path, required=True, help="folder of the model to teach")
    parser.add_argument("--data", type=Path, required=True, help="folder with novels.txt.xz")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20261123)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    model = LlamaForCausalLM.from_pretrained(given.start, dtype=torch.bfloat16)
    fast = AutoTokenizer.from_pretrained(given.start)
    lessons = Lessons(
        LabTokenizer(fast.backend_tokenizer), Novels(given.data / "novels.txt.xz"), given.seed
    )
    teacher = Teacher(model)
    started, step, seen, done = time.perf_counter(), 0, 0, 0.0
    while done < 1.0:
        batch = lessons.batch(done)
        loss, right = teacher.step(batch, rate(step, done))
        seen += batch[0].numel()
        done = (time.perf_counter() - started) / (60 * given.minutes)
        if step % 10 == 0 or done >= 1.0:
            said = {"step": step, "done": round(done, 3), "tokens": seen, "loss": round(loss, 3)}
            print(json.dumps({**said, "right": right and round(right, 3)}), flush=True)
        step += 1
    model.save_pretrained(given.out)
    fast.save_pretrained(given.out)


if __name__ == "__main__":
    main()
