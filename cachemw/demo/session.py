"""What the demonstration asks, and what should come of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Step:
    """One request: who asks what how, and the layer that should answer."""

    what: str
    question: str
    layer: str
    tenant: str = "alice"
    stream: bool = False
    system: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


FRANCE = "What is the capital of France?"
DARK_ON = "How do I turn on dark mode?"


def session() -> tuple[Step, ...]:
    """Return the steps, in order."""
    return (
        Step("new question", FRANCE, "upstream"),
        Step("the same again", FRANCE, "exact"),
        Step("other words", "What's the capital of France?", "semantic"),
        # As far as the verifier can tell: it would rather ask the model than be wrong.
        Step("not sure enough", "What is the name of France's capital?", "upstream"),
        Step("new question", DARK_ON, "upstream"),
        Step("other words", "How can I turn on dark mode?", "semantic"),
        Step("near miss", "How do I turn off dark mode?", "upstream"),
        Step("new question", "What is 2+2?", "upstream"),
        Step("near miss", "What is 2+3?", "upstream"),
        Step("streamed, again", DARK_ON, "exact", stream=True),
        Step("streamed, new", "What is a cache?", "upstream", stream=True),
        Step("streamed, other words", "What's a cache?", "semantic", stream=True),
        Step("other system prompt", FRANCE, "upstream", system="Answer in one word."),
        Step("other tenant", FRANCE, "upstream", tenant="bob"),
        Step("other tenant, again", FRANCE, "exact", tenant="bob"),
        Step("asked for anew", FRANCE, "upstream", headers={"cache-control": "no-cache"}),
    )
