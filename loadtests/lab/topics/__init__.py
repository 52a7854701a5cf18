"""What dialogues are about: the table of topics and how often each comes up."""

from __future__ import annotations

from loadtests.lab.knowledge import load_relations
from loadtests.lab.topics.arithmetic import Arithmetic
from loadtests.lab.topics.base import Exchange, Topic
from loadtests.lab.topics.facts import Facts
from loadtests.lab.topics.introductions import Introductions
from loadtests.lab.topics.unknown import Unknown

__all__ = ["Exchange", "Topic", "default_topics"]


def default_topics() -> list[tuple[Topic, float]]:
    """Every topic with its relative frequency: relations by their size, short ones raised."""
    relations: list[tuple[Topic, float]] = [
        (Facts(relation), 10.0 + len(relation.facts)) for relation in load_relations()
    ]
    return [
        *relations,
        (Arithmetic(), 240.0),
        (Unknown(), 160.0),
        (Introductions(), 40.0),
    ]
