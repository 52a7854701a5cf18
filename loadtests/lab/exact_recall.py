"""Exact recall of a model: `python -m loadtests.lab.exact_recall --model DIR --data DIR`.

A case counts when every token of its answer is the likeliest one, which is what greedy decoding
would need to give the answer.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from loadtests.lab.proportion import Proportion
from loadtests.lab.tasks.base import Split
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tasks.recall import CASE_CHARACTERS, RecallCase, recall_cases, sentences

_SPLITS: tuple[Split, ...] = ("train", "held_out")


def case_tokens(
    tokenizer: PreTrainedTokenizerFast, case: RecallCase
) -> tuple[list[int], list[int], list[int]]:
    """Tokens of context (BOS before it), question and answer, to be joined as they are."""
    context, question, answer = tokenizer(
        [case.context, case.question, case.answer], add_special_tokens=False
    )["input_ids"]
    return [tokenizer.bos_token_id, *context], question, answer


@torch.inference_mode()
def exact(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    cases: Sequence[RecallCase],
    batch: int = 16,
) -> list[bool]:
    """For each case, whether every token of the answer is the model's first choice."""
    found: list[bool] = []
    for start in range(0, len(cases), batch):
        rows = [case_tokens(tokenizer, case) for case in cases[start : start + batch]]
        whole = [torch.tensor([*context, *question, *answer]) for context, question, answer in rows]
        # Padded on the right, where no token of a case looks.
        tokens = torch.nn.utils.rnn.pad_sequence(whole, batch_first=True).to(model.device)
        hidden = model.model(tokens, use_cache=False).last_hidden_state
        for row, ids, (_, _, answer) in zip(hidden, whole, rows, strict=True):
            found.append(_first_choice(model, row[: len(ids)], answer))
    return found


def _first_choice(model: LlamaForCausalLM, hidden: Tensor, answer: list[int]) -> bool:
    chosen = model.lm_head(hidden[-len(answer) - 1 : -1]).argmax(-1)
    return bool(chosen.tolist() == answer)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with novels.txt.xz")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--characters", type=int, nargs=2, default=CASE_CHARACTERS, help="of a context"
    )
    parser.add_argument("--splits", nargs="+", choices=_SPLITS, default=_SPLITS)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    dtype = getattr(torch, given.dtype)
    model = LlamaForCausalLM.from_pretrained(given.model, dtype=dtype).to(given.device)
    novels = Novels(given.data / "novels.txt.xz")
    low, high = given.characters
    for split in given.splits:
        filler = sentences(novels.novels(split))
        rng = random.Random(given.seed)
        cases = list(recall_cases(split, given.cases, rng, filler, (low, high)))
        right = exact(model, tokenizer, cases)
        print(f"{split}: {Proportion(sum(right), len(right))}", flush=True)


if __name__ == "__main__":
    main()
