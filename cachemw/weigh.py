"""Reads the nearest candidates' documents and has guards and verifier look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cachemw_policies.decision import Candidate, Weighed
from cachemw_policies.guards.base import Question
from cachemw_policies.guards.script import english_enough
from cachemw_policies.guards.table import objection, read

from cachemw.errors import VerifierUnavailable
from cachemw.exact import ExactTier, Miss, Resident
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.verify.base import QuestionPair
from cachemw.verify.lane import VerifierLane

# Lookups that wait for the verifier from which on each has one question read.
_CROWDED = 2


@dataclass(frozen=True, slots=True)
class Shortlisted:
    """Candidates with what was found out, their documents by key, and keys that are gone."""

    weighed: tuple[Weighed, ...]
    residents: dict[bytes, Resident]
    gone: tuple[bytes, ...]


class Weigher:
    """Finds out what a decision has to know. Without a verifier the score is the cosine.

    The verifier reads the `most` nearest of those that no guard objects to. One that fails or is
    late leaves candidates without a score, and so unserved. `english_only`: it knows no other
    language, so that other texts are not scored.
    """

    def __init__(
        self,
        exact: ExactTier,
        verifier: VerifierLane | None,
        state: DependencyState,
        metrics: Metrics,
        *,
        most: int,
        english_only: bool,
    ) -> None:
        self._exact = exact
        self._verifier = verifier
        self._state = state
        self._metrics = metrics
        self._most = most
        self._english_only = english_only

    async def weigh(self, asked: str, candidates: Sequence[Candidate]) -> Shortlisted:
        """Return what is known of the candidates whose documents are there."""
        found = await self._exact.find_all([candidate.key for candidate in candidates])
        residents: dict[bytes, Resident] = {}
        gone: list[bytes] = []
        weighed: list[Weighed] = []
        question = read(asked)
        for candidate, resident in zip(candidates, found, strict=True):
            if isinstance(resident, Resident):
                residents[candidate.key] = resident
                weighed.append(_guarded(question, candidate, resident))
            elif resident is Miss.ABSENT:
                gone.append(candidate.key)
        scored = await self._scored(asked, weighed, residents)
        return Shortlisted(tuple(scored), residents, tuple(gone))

    async def _scored(
        self, asked: str, weighed: Sequence[Weighed], residents: dict[bytes, Resident]
    ) -> list[Weighed]:
        """Score what no guard objects to."""
        verifier = self._verifier
        if verifier is None:
            return [
                one if one.objection else replace(one, score=_share(one.candidate.similarity))
                for one in weighed
            ]
        # Where others wait the nearest alone is read: more would be too late for all of them.
        most = self._most if verifier.waiting < _CROWDED else 1
        open_ones = [one for one in weighed if one.objection is None][:most]
        if not open_ones or (self._english_only and not english_enough(asked)):
            return list(weighed)
        pairs = [
            QuestionPair(_prompt(residents, one), asked, one.candidate.similarity)
            for one in open_ones
        ]
        try:
            with self._metrics.stage("verify"):
                scores = await verifier.score(pairs)
        except VerifierUnavailable as error:
            self._state.down(type(error).__name__)
            return list(weighed)
        if None in scores:
            self._state.down("NoProbability")
        else:
            self._state.up()
        by_key = {one.candidate.key: s for one, s in zip(open_ones, scores, strict=True)}
        return [replace(one, score=by_key.get(one.candidate.key)) for one in weighed]


def _guarded(question: Question, candidate: Candidate, resident: Resident) -> Weighed:
    document = resident.document
    return Weighed(
        candidate,
        document.created_at,
        document.expires_at,
        objection=objection(question, read(document.prompt)),
    )


def _prompt(residents: dict[bytes, Resident], one: Weighed) -> str:
    return residents[one.candidate.key].document.prompt


def _share(cosine: float) -> float:
    # The same direction comes to a little over 1 in f32, which is no score.
    return min(1.0, max(0.0, cosine))
