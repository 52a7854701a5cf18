"""The table of tasks: what the lab model learns, and in which proportion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadtests.lab.tasks.dialogues import Dialogues
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tasks.tokenised import TokenisedNovels

if TYPE_CHECKING:
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
