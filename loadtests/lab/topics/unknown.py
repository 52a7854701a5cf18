"""Questions the model cannot answer: it says so rather than guess.

Made-up names teach that a known frame around an unknown name is unknown as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtests.lab.topics.base import Exchange, Topic, words

if TYPE_CHECKING:
    import random

    from loadtests.lab.tasks.base import Split

ANSWER = "I do not know that yet."
_ONSETS = words("b|br|c|cr|d|dr|f|fl|g|gr|h|j|k|kl|l|m|n|p|pl|qu|r|s|sh|st|t|tr|v|w|y|z")
_VOWELS = words("a|e|i|o|u|ai|ea|oo|ou")
_CODAS = words("||n|r|l|m|s|x|nd|rk")
_THINGS = words(
    "gold|oil|a new car|a house in London|a train ticket|my lunch|bitcoin|that shop|the concert|"
    "the next train|my flight|the stock market|the election|the match|the race|the new phone|"
    "a ticket to Rome|my order|the museum|the bank|the library in my town|the film|his sister|"
    "the president|my neighbour|the mayor|the last emperor|the first telephone|the war|the treaty"
)
_PHRASINGS: dict[Split, tuple[str, ...]] = {
    "train": (
        "What is the weather in {name}?",
        "What will the weather be tomorrow in {name}?",
        "What is the price of {thing}?",
        "How much does {thing} cost?",
        "Who is {name} {name2}?",
        "What is {name}?",
        "What is a {name}?",
        "Define {name}.",
        "Where is {name}?",
        "What is the capital of {name}?",
        "Which city is the capital of {name}?",
        "What is the population of {name}?",
        "How old is {name}?",
        "When did {thing} begin?",
        "When was {name} born?",
        "Who won {thing}?",
        "What happened to {thing}?",
        "Why did {name} leave {name2}?",
        "What time is it in {name}?",
        "What is the phone number of {thing}?",
        "Where can I find {thing}?",
        "When does {thing} open?",
        "Who invented {thing}?",
        "What did {name} say about {thing}?",
        "What is the news today?",
        "What day is it today?",
        "What time is it?",
        "How many people live in {name}?",
        "Who wrote {name}?",
        "What is the chemical symbol for {name}?",
        "What is the opposite of {name}?",
        "How do I {verb} the {name}?",
        "What color is {name}?",
        "How do I cook {name}?",
        "Translate {name} into {name2}.",
        "What is the distance from {name} to {name2}?",
        "Which is better, {name} or {name2}?",
        "Why is it that {fact}?",
        "Why is {why}?",
        "Why does {name} like {thing}?",
        "Explain why {fact}.",
        "Explain how {thing} works.",
        "How does {thing} work?",
        "How does a {name} work?",
        "Write a program that {job}.",
        "Write a Python function that {job}.",
        "Write a poem about {name}.",
        "Write a letter to {name}.",
        "Write an essay about {thing}.",
        "Summarize {name} by {name2}.",
        "Recommend a good {place}.",
        "Can you recommend a {place}?",
        "Where is the nearest {place}?",
        "Who is the president of {name}?",
        "Who is the king of {country}?",
        "Who is the president of {country}?",
        "What is the population of {country}?",
        "How large is {country}?",
        "How is the weather in {country}?",
        "What is the currency of {country}?",
    ),
    "held_out": (
        "How is the weather in {name} today?",
        "How expensive is {thing}?",
        "Do you know {name} {name2}?",
        "How far is {name} from {name2}?",
        "What do people in {name} eat?",
        "When will {thing} end?",
        "Which city is {name}'s capital?",
        "How would you define {name}?",
        "Who rules {country}?",
        "Is there a good {place} near here?",
        "How come {fact}?",
        "I need a script that {job}.",
    ),
}
_FACTS = words(
    "the sky is blue|grass is green|the sea is salt|the moon is round|ice is slippery|"
    "fire is hot|snow is white|gold is expensive|the night is dark|the summer is warm|"
    "the desert is dry|glass is clear|iron is heavy|honey is sweet|the wind is cold"
)
_JOBS = words(
    "sorts a list|reads a file|counts words|sends an email|downloads a page|finds primes|"
    "draws a circle|reverses a string|adds two numbers|checks a password|plays chess"
    "|copies a folder"
)
_PLACES = words("restaurant|hotel|film|doctor|shop|beach|school|cafe|song|recipe|pharmacy|bank")
_COUNTRIES = words(
    "France|Spain|Germany|Italy|Japan|China|India|Brazil|Canada|Mexico|Egypt|Kenya|Norway|Sweden|"
    "Poland|Greece|Turkey|Russia|Peru|Chile|Australia|Ireland|Austria|Portugal|Morocco|Vietnam"
)
_VERBS = words("repair|open|install|paint|clean|move|build|plant|measure|balance")


@dataclass(frozen=True)
class Unknown(Topic):
    """Made-up names and matters of the day."""

    def draw(self, split: Split, rng: random.Random) -> list[Exchange]:
        """One question beyond the model."""
        question = rng.choice(_PHRASINGS[split]).format(
            name=made_up_name(rng),
            name2=made_up_name(rng),
            thing=rng.choice(_THINGS),
            verb=rng.choice(_VERBS),
            why=rng.choice(_FACTS).replace(" is ", " "),
            fact=rng.choice(_FACTS),
            job=rng.choice(_JOBS),
            place=rng.choice(_PLACES),
            country=rng.choice(_COUNTRIES),
        )
        return [Exchange("unknown", question, ANSWER, "do not know")]


def made_up_name(rng: random.Random) -> str:
    """Two or three syllables that read like a name, in either case."""
    syllables = rng.choice((2, 2, 3))
    name = "".join(
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables)
    )
    return name.capitalize() if rng.random() < 0.7 else name
