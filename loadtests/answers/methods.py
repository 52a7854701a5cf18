"""Ways to compare answers, and how wrong they are on cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cachemw_policies.answers import AnswerSettings, Outcome, compare, one_text

from loadtests.answers.cases import Case
from loadtests.answers.tried import by_rules
from loadtests.threshold.quality import Share

# Of the pairs that serve alike, and of those that do not, how many may be judged wrongly.
LIMIT = 0.01
Method = Callable[[Case, float], Outcome]
# From loose to strict.
OVERLAPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a method says of pairs that serve alike, and of pairs that do not."""

    alike: Counter[Outcome]
    unlike: Counter[Outcome]

    @property
    def wrongly_different(self) -> Share:
        """Of the pairs that serve alike, those called DIFFERENT."""
        return Share(self.alike[Outcome.DIFFERENT], self.alike.total())

    @property
    def wrongly_same(self) -> Share:
        """Of the pairs that do not, those called SAME."""
        return Share(self.unlike[Outcome.SAME], self.unlike.total())

    @property
    def found_same(self) -> Share:
        """Of the pairs that serve alike, those called SAME."""
        return Share(self.alike[Outcome.SAME], self.alike.total())

    @property
    def found_different(self) -> Share:
        """Of the pairs that do not, those called DIFFERENT."""
        return Share(self.unlike[Outcome.DIFFERENT], self.unlike.total())

    @property
    def labels(self) -> int:
        """How many pairs get a verdict."""
        both = self.alike + self.unlike
        return both.total() - both[Outcome.UNSURE]

    @property
    def unsure(self) -> Share:
        """Of all pairs, those without a verdict."""
        both = self.alike + self.unlike
        return Share(both[Outcome.UNSURE], both.total())

    def share_of_labels_wrong(self, true_share: float) -> float | None:
        """Return what labels would say the share of wrong hits is, where it is `true_share`."""
        right = 1.0 - true_share
        wrong = right * self.wrongly_different.value + true_share * self.found_different.value
        good = right * self.found_same.value + true_share * self.wrongly_same.value
        return wrong / (wrong + good) if wrong + good else None


def judged(cases: Iterable[tuple[Case, float]], method: Method) -> Judged:
    """Judge all cases; each comes with the cosine of its answers."""
    found = Judged(Counter(), Counter())
    for case, cosine in cases:
        (found.alike if case.same else found.unlike)[method(case, cosine)] += 1
    return found


def ours(settings: AnswerSettings) -> Method:
    """Return the comparison with these settings."""
    return lambda case, _: compare(case.a, case.b, settings).outcome


def rules(settings: AnswerSettings) -> Method:
    """Return the comparison, and what it is unsure of by the rules that were tried."""

    def method(case: Case, cosine: float) -> Outcome:
        outcome = compare(case.a, case.b, settings).outcome
        return by_rules(case.a, case.b, cosine) if outcome is Outcome.UNSURE else outcome

    return method


def equality(case: Case, _: float) -> Outcome:
    """Take as one what is one text, up to case, white space and the last full stop."""
    return Outcome.SAME if one_text(case.a, case.b) else Outcome.DIFFERENT


def banded(low: float, high: float) -> Method:
    """Return the cosine alone: SAME from `high` on, DIFFERENT below `low`."""

    def method(_: Case, cosine: float) -> Outcome:
        if cosine >= high:
            return Outcome.SAME
        return Outcome.DIFFERENT if cosine < low else Outcome.UNSURE

    return method


def one_threshold(cases: Sequence[tuple[Case, float]]) -> float:
    """Return the cosine that parts the pairs best: the highest balanced accuracy."""

    def accuracy(threshold: float) -> float:
        found = judged(cases, banded(threshold, threshold))
        return found.found_same.value + found.found_different.value

    return max((step / 50 for step in range(51)), key=accuracy)


def band(cases: Sequence[tuple[Case, float]]) -> tuple[float, float]:
    """Return the narrowest band of cosines that keeps both errors within LIMIT."""
    steps = [step / 100 for step in range(101)]
    low = max(t for t in steps if judged(cases, banded(t, 2.0)).wrongly_different.value <= LIMIT)
    highs = (t for t in steps if judged(cases, banded(-2.0, t)).wrongly_same.value <= LIMIT)
    return low, next(highs, 1.01)


def chosen(cases: Sequence[tuple[Case, float]]) -> AnswerSettings:
    """Return the `value_overlap` that tells chance best from agreement (Youden's index)."""

    def index(settings: AnswerSettings) -> float:
        found = judged(cases, ours(settings))
        return found.found_same.value - found.wrongly_same.value

    return max((AnswerSettings(value_overlap=overlap) for overlap in OVERLAPS), key=index)


def of(cases: Iterable[tuple[Case, float]], kind: str) -> list[tuple[Case, float]]:
    """Return the cases of one kind."""
    return [each for each in cases if each[0].kind == kind]
