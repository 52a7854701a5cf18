"""What a run needs before its first step: tokenizer, training rows, held-out rows."""

from __future__ import annotations

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import TYPE_CHECKING

from loadtests.lab.mix import Share, split_rows
from loadtests.lab.tokens import LabTokenizer, learn_tokenizer

if TYPE_CHECKING:
    from loadtests.lab.packing import RowSource
    from loadtests.lab.tasks.base import Split, Task
    from loadtests.lab.train import Plan

_SPLITS: tuple[Split, ...] = ("train", "held_out")


def prepare(
    mix: list[tuple[Task, float]], plan: Plan
) -> tuple[LabTokenizer, list[Share], dict[str, RowSource]]:
    """Tokenizer, training shares and validation sources, all from the plan's seed."""
    texts = (text for task, _ in mix for text in task.texts(_rng(plan.seed, task, "texts")))
    tokenizer = learn_tokenizer(texts, plan.vocabulary)
    wanted = [(task, split) for split in _SPLITS for task, _ in mix]
    made = iter(_sources(wanted, tokenizer, plan))
    counts = split_rows({task.name: weight for task, weight in mix}, plan.rows)
    shares = [Share(next(made), counts[task.name]) for task, _ in mix]
    return tokenizer, shares, {task.name: next(made) for task, _ in mix}


def _sources(
    wanted: list[tuple[Task, Split]], tokenizer: LabTokenizer, plan: Plan
) -> list[RowSource]:
    if plan.workers == 1:
        return [_source(each, tokenizer, plan.context, plan.seed) for each in wanted]
    # A process each: preparing is mostly Python. Forked ones would share the tokenizer's threads.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(plan.workers, mp_context=spawn) as pool:
        made = pool.map(_source, wanted, repeat(tokenizer), repeat(plan.context), repeat(plan.seed))
        return list(made)


def _source(
    wanted: tuple[Task, Split], tokenizer: LabTokenizer, context: int, seed: int
) -> RowSource:
    task, split = wanted
    return task.rows(split, tokenizer, context, _rng(seed, task, split))


def _rng(seed: int, task: Task, purpose: str) -> random.Random:
    return random.Random(f"{seed}/{task.name}/{purpose}")
