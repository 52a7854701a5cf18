"""What was served, by kind, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from loadtests.adversarial.pairs import HALVES
from loadtests.adversarial.verdicts import Subject, Verdict, refusal
from loadtests.report import Bar, Section
from loadtests.threshold.quality import Share


def served(verdicts: Sequence[Verdict], subject: Subject) -> Share:
    """Return how many of some pairs a subject serves."""
    return Share(sum(subject.serves(v) for v in verdicts), len(verdicts))


def by_kind(
    title: str, about: str, verdicts: Sequence[Verdict], subjects: Sequence[Subject]
) -> Section:
    """Return a row for all pairs and one for each kind."""
    kinds = list(dict.fromkeys(v.pair.kind for v in verdicts))
    groups = [("all", list(verdicts))]
    groups += [(kind, [v for v in verdicts if v.pair.kind == kind]) for kind in kinds]
    rows = [
        (name, str(len(group)), *(shown(served(group, subject)) for subject in subjects))
        for name, group in groups
    ]
    return Section(title, about, ("kind", "pairs", *(s.name for s in subjects)), rows)


def overview(verdicts: Sequence[Verdict], subjects: Sequence[Subject]) -> Section:
    """Return a row for each way to decide: what it serves of each half."""
    groups = [
        [v for v in verdicts if v.pair.same == same and v.pair.half == half]
        for same in (False, True)
        for half in HALVES[::-1]
    ]
    names = [f"{what}, {half}" for what in ("must not hit", "must hit") for half in HALVES[::-1]]
    head = ("served by", *(f"{n} ({len(g)})" for n, g in zip(names, groups, strict=True)))
    rows = [(s.name, *(shown(served(group, s)) for group in groups)) for s in subjects]
    about = (
        "What must not hit and is served is a wrong answer; what must hit and is served saves a "
        "call. The halves are `test` and `dev`, with how many pairs they have."
    )
    return Section("Who serves how much", about, head, rows)


def bar(verdicts: Sequence[Verdict], subject: Subject, limit: float) -> Bar:
    """Return whether few enough of the pairs that must not hit are served."""
    share = served(verdicts, subject)
    what = f"must-not-hit pairs served by {subject.name}, test half"
    return Bar(what, f"<= {limit:.0%}", shown(share), share.value <= limit)


def refusals(verdicts: Sequence[Verdict], subject: Subject, floor: float) -> Section:
    """Return why pairs that should hit are refused."""
    why = Counter(refusal(v, floor) for v in verdicts if not subject.serves(v))
    rows = [(reason, shown(Share(count, len(verdicts)))) for reason, count in why.most_common()]
    about = (
        "Of all pairs that must hit, both halves: the first step that kept one from being served."
    )
    return Section("Why honest paraphrases are refused", about, ("step", "share"), rows)


def mistakes(verdicts: Sequence[Verdict], subject: Subject) -> Section:
    """Return the pairs that are served and must not be."""
    wrong = sorted((v for v in verdicts if subject.serves(v)), key=lambda v: -v.score)
    rows = [
        (v.pair.kind, _cell(v.pair.a), _cell(v.pair.b), f"{v.cosine:.3f}", f"{v.score:.3f}")
        for v in wrong
    ]
    about = (
        f"By {subject.name}, of the dev half alone: who mends something reads these, so the test "
        "half stays unread."
    )
    head = ("kind", "stored", "asked", "cosine", "score")
    return Section("Served and wrong", about, head, rows)


def shown(share: Share) -> str:
    """Return a share with its interval."""
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%}–{high:.1%})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
