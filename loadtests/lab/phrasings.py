"""How facts are stated and asked for, one table of wordings per split.

An attribute goes with one kind of value. Frames name it by `{a}`, the subject by `{s}`, the value
by `{v}`. Attributes and frames of the held-out table are in no training text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadtests.lab.entities import SubjectKind, ValueKind
    from loadtests.lab.tasks.base import Split


@dataclass(frozen=True)
class Wordings:
    """All ways that a split has of stating a fact and of asking for it."""

    attributes: dict[ValueKind, tuple[str, ...]]
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    special: tuple[tuple[SubjectKind, ValueKind, str, str], ...]
    """Whole sentences with their own question, where a noun phrase would be stiff."""


WORDINGS: dict[Split, Wordings] = {
    "train": Wordings(
        attributes={
            "digits": (
                "code",
                "cipher",
                "number of the lock",
                "telephone number",
                "signal",
                "key to the gate",
            ),
            "number": (
                "price",
                "rent",
                "age",
                "weight",
                "height",
                "income",
                "number of books",
                "population",
                "prize",
                "tax",
                "cost",
                "distance",
            ),
            "mark": ("licence", "ticket", "file", "plate", "account", "registration"),
            "word": (
                "password",
                "emblem",
                "watchword",
                "favourite flower",
                "colour",
                "secret word",
                "sign",
                "nickname",
                "flag",
            ),
            "name": (
                "owner",
                "founder",
                "doctor",
                "teacher",
                "keeper",
                "partner",
                "lawyer",
                "neighbour",
                "friend",
                "cook",
                "master",
                "guest",
            ),
        },
        statements=(
            "The {a} of {s} is {v}.",
            "The {a} of {s} was {v}.",
            "Everybody knew that the {a} of {s} was {v}.",
            "As for {s}, the {a} is {v}.",
            "It is written that the {a} of {s} is {v}.",
            "For {s} the {a} was {v}.",
            "They said that {v} was the {a} of {s}.",
            "Remember that {v} is the {a} of {s}.",
            "Of {s} we know the {a}: {v}.",
            "In the letter, {s} had {v} for {a}.",
        ),
        questions=(
            "What is the {a} of {s}?",
            "What was the {a} of {s}?",
            "Tell me the {a} of {s}.",
            "For {s}, what is the {a}?",
            "Which {a} belongs to {s}?",
            "Do you remember the {a} of {s}?",
            "The {a} of {s}?",
        ),
        special=(
            (
                "person",
                "number",
                "{s} keeps {v} lamps in the cellar.",
                "How many lamps does {s} keep?",
            ),
            (
                "person",
                "number",
                "{s} owes {v} pounds to the bank.",
                "How much does {s} owe the bank?",
            ),
            (
                "person",
                "number",
                "{s} planted {v} trees by the road.",
                "How many trees did {s} plant?",
            ),
            ("place", "number", "There are {v} chairs in {s}.", "How many chairs are in {s}?"),
            ("place", "number", "{s} was built by {v} men.", "How many men built {s}?"),
            ("thing", "number", "No fewer than {v} people work for {s}.", "How many work for {s}?"),
            ("place", "name", "{v} lives at {s}.", "Who lives at {s}?"),
            ("place", "name", "{s} was sold to {v} last year.", "Who bought {s}?"),
            ("thing", "name", "{v} has charge of {s}.", "Who has charge of {s}?"),
            ("person", "name", "{s} wrote a long letter to {v}.", "To whom did {s} write?"),
            ("person", "name", "{s} is going to marry {v}.", "Whom will {s} marry?"),
            (
                "place",
                "digits",
                "To open the door of {s}, turn {v}.",
                "What opens the door of {s}?",
            ),
            (
                "person",
                "digits",
                "{s} whispered the figures {v}.",
                "Which figures did {s} whisper?",
            ),
            ("person", "word", "{s} hid the money under the {v}.", "Where did {s} hide the money?"),
            ("person", "word", "{s} carries a little {v} of gold.", "What does {s} carry?"),
            ("place", "word", "A {v} is painted over the door of {s}.", "What is painted at {s}?"),
            ("thing", "mark", "{s} bears the letters {v}.", "Which letters does {s} bear?"),
            ("person", "mark", "{s} travels with passport {v}.", "Which passport does {s} have?"),
        ),
    ),
    "held_out": Wordings(
        attributes={
            "digits": ("combination", "passcode"),
            "number": ("debt", "wage", "length", "salary"),
            "mark": ("permit", "label"),
            "word": ("motto", "token", "symbol"),
            "name": ("landlord", "steward", "heir", "agent"),
        },
        statements=(
            "Note that the {a} of {s} is {v}.",
            "The {a} of {s}, by the way, is {v}.",
            "People believe that the {a} of {s} was {v}.",
            "And {v} is the {a} of {s}.",
        ),
        questions=(
            "Please give the {a} of {s}.",
            "Can you say what the {a} of {s} is?",
            "Now what was the {a} of {s}?",
        ),
        special=(
            ("person", "number", "{s} has {v} sheep on the hill.", "How many sheep has {s}?"),
            (
                "place",
                "number",
                "The roof of {s} needs {v} tiles.",
                "How many tiles does {s} need?",
            ),
            ("person", "name", "{s} went to the sea with {v}.", "With whom did {s} go to the sea?"),
            ("person", "word", "{s} drew a {v} on the wall.", "What did {s} draw?"),
            ("thing", "digits", "Call {s} by dialling {v}.", "What must one dial for {s}?"),
        ),
    ),
}
