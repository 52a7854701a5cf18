"""The header that says, to a request that asks for it, why it was answered as it was."""

from __future__ import annotations

from cachemw_policies.decision import Decision

from cachemw.ask import Ask
from cachemw.http.messages import Header, header_value


def explained(ask: Ask, stored: str | None = None) -> list[Header]:
    """Return `x-cachemw-decision` for requests with `x-cachemw-explain: 1`, else nothing.

    `name=value` separated by semicolons; numbers and names of ours alone, no text of anybody's.
    `stored`: the category of the entry that an exact hit found.
    """
    if not ask.directives.explain:
        return []
    parts = [f"category={stored or ask.category}", f"category_by={_chosen(ask, stored)}"]
    parts += ["outcome=no_lookup"] if ask.decision is None else _decided(ask.decision)
    parts += ["withheld=to_check"] if ask.withheld else []
    return [(b"x-cachemw-decision", header_value("; ".join(parts)))]


def _chosen(ask: Ask, stored: str | None) -> str:
    if stored is not None:
        return "entry"
    if ask.named is not None:
        return "request"
    return "classifier" if ask.decision is not None else "none"


def _decided(decision: Decision) -> list[str]:
    parts = [f"outcome={decision.outcome.value}", f"load={decision.load:.2f}"]
    threshold = decision.threshold
    parts.append(f"threshold={'none' if threshold is None else f'{threshold:.4f}'}")
    parts.append(f"threshold_by={decision.origin.replace(' ', '_')}")
    best = decision.best
    if best is not None:
        parts.append(f"similarity={best.candidate.similarity:.4f}")
        if best.score is not None:
            parts.append(f"score={best.score:.4f}")
        if best.objection is not None:
            parts.append(f"guard={best.objection}")
    return parts
