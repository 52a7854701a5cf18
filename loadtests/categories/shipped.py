"""How well the shipped taxonomy sorts questions of public data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cachemw_policies.category import DEFAULT, PolicySet

from loadtests.categories.data import Question
from loadtests.report import Section
from loadtests.threshold.quality import Share

CLASSIFIER = "classifier"


@dataclass(frozen=True, slots=True)
class Sorted:
    """Questions and, by who sorted them, the names that they were given, in the same order."""

    asked: Sequence[Question]
    given: Mapping[str, Sequence[str]]

    def of(self, name: str, *, by: str) -> list[tuple[Question, str]]:
        """Return the questions of a source or of a category, each with the name it was given."""
        both = zip(self.asked, self.given[by], strict=True)
        return [(q, given) for q, given in both if name in (q.source, q.category)]


def right(pairs: Sequence[tuple[Question, str]]) -> Share:
    """Return how many were given their own category."""
    return Share(sum(question.category == name for question, name in pairs), len(pairs))


def shown(share: Share) -> str:
    """Return a share with its interval."""
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%}–{high:.1%})"


def accuracy_table(done: Sorted, title: str, about: str) -> Section:
    """Return the share of right names by source, and its mean over sources."""
    sources = list(dict.fromkeys(question.source for question in done.asked))
    rows = []
    for source in sources:
        own = done.of(source, by=CLASSIFIER)
        unsure = sum(name == DEFAULT != question.category for question, name in own)
        others = [f"{right(done.of(source, by=by)).value:.1%}" for by in done.given][1:]
        shares = shown(right(own)), f"{unsure / len(own):.1%}"
        rows.append((source, str(len(own)), *shares, *others))
    means = [
        sum(right(done.of(source, by=by)).value for source in sources) / len(sources)
        for by in done.given
    ]
    rows.append(("mean of sources", "", f"{means[0]:.1%}", "", *(f"{m:.1%}" for m in means[1:])))
    head = ("source", "questions", CLASSIFIER, "unsure: `default`", *list(done.given)[1:])
    return Section(title, about, head, rows)


def category_table(done: Sorted, policies: PolicySet) -> Section:
    """Return the share of right names by category, and where wrong ones cost most."""
    rows = []
    for name in policies.names:
        own = done.of(name, by=CLASSIFIER)
        if not own:
            continue
        looser = sum(
            given != name and policies.of(given).delta > policies.of(name).delta for _, given in own
        )
        lost = Counter(given for question, given in own if given != name).most_common(2)
        gone = ", ".join(f"{other} {count}" for other, count in lost)
        claimed = sum(given == name for given in done.given[CLASSIFIER])
        precision = Share(right(own).part, claimed)
        rows.append(
            (
                name,
                str(len(own)),
                shown(right(own)),
                f"{precision.value:.1%}",
                shown(Share(looser, len(own))),
                gone,
            )
        )
    about = (
        "`right of those so named` depends on how many questions each source brings. `looser`: "
        "questions that came under a larger `delta` than their own category's, which is what a "
        "wrong name can cost; a stricter one only costs hits. For `medical` and `legal` it is the "
        "share that `safety_critical` does not protect: who must rely on that names the category "
        "in the request."
    )
    head = ("category", "questions", "right", "right of those so named", "looser", "most often")
    return Section("By category, second half", about, head, rows)


def confusion(done: Sorted, policies: PolicySet) -> Section:
    """Return how many questions of each category were given each name."""
    counts = Counter(
        (question.category, name)
        for question, name in zip(done.asked, done.given[CLASSIFIER], strict=True)
    )
    present = [name for name in policies.names if any(own == name for own, _ in counts)]
    rows = [
        (own, *(str(counts[own, given]) if counts[own, given] else "" for given in policies.names))
        for own in present
    ]
    about = "Rows: what the questions are. Columns: what they were named."
    return Section("Confusion, second half", about, ("", *policies.names), rows)
