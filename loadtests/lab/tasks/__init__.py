"""The tables of tasks: what a lab model learns, and in which proportion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.lab.tasks.dialogues import Dialogues
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tasks.recall import Recall
from loadtests.lab.tasks.tokenised import TokenisedNovels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loadtests.lab.tasks.base import Task


def default_mix(data: Path) -> list[tuple[Task, float]]:
    """Tasks with their share of the rows of a batch; `data` is the folder of novels.txt.xz."""
    novels = Novels(data / "novels.txt.xz")
    return [
        (novels, 0.5),
        (TokenisedNovels(novels), 0.15),
        (Dialogues(), 0.35),
    ]


def recall_mix(data: Path) -> list[tuple[Task, float]]:
    """Give the same with exact recall beside it, for models that KV codecs are measured on."""
    novels = Novels(data / "novels.txt.xz")
    return [
        (novels, 0.42),
        (TokenisedNovels(novels), 0.13),
        (Dialogues(), 0.20),
        (Recall(novels), 0.25),
    ]


MIXES: dict[str, Callable[[Path], list[tuple[Task, float]]]] = {
    "default": default_mix,
    "recall": recall_mix,
}
