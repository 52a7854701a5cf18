"""What is in force for each category, and what is kept, learnt and forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.classifier import Classified
from cachemw_policies.shadowing import ShadowSettings
from cachemw_policies.thresholds import CALIBRATED, COLD_START, PROBATION, GuaranteeSettings

from cachemw.categories.board import BoardSettings, Categories, Standing
from cachemw.categories.classify import CategoryClassifier
from cachemw.errors import BadRequest
from cachemw.stores.base import Vector
from tests.cachemw import parts
from tests.cachemw.parts import SCALE, board, label

CODE = CategoryPolicy("code", threshold=0.95, delta=0.05, delta_overload=0.05)
MATH = CategoryPolicy("math", threshold=0.95, delta=0.05, delta_overload=0.05)
VECTOR: Vector = np.zeros(2, dtype=np.float32)
SERVING = GuaranteeSettings(cold_start="threshold")


class Says(CategoryClassifier):
    """Always the same name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def name_of(self, vector: object) -> Classified:
        return Classified(self.name, 1.0)


def learnt(known: Categories, category: str, count: int = 400, scale: str = SCALE) -> None:
    for number in range(count):
        known.learn(label(0.9 + number % 10 / 100, category=category, scale=scale))
    known.refresh()


def origins(known: Categories) -> dict[str, str]:
    return {name: known.standing(name).state.normal.origin for name in known.policies.names}


class TestLearning:
    def test_enough_labels_prove_a_threshold(self) -> None:
        known = board(parts.policies(CODE, MATH))
        learnt(known, "code")
        state = known.state("code")
        assert state.normal.origin == CALIBRATED
        assert state.normal.threshold is not None
        assert state.normal.threshold < CODE.threshold
        assert known.state("math").normal.origin == PROBATION

    def test_nothing_is_worked_out_before_it_is_asked_for(self) -> None:
        known = board(parts.policies(CODE))
        known.learn(label(0.99, category="code"))
        assert known.standing("code").estimate.labels == 0
        known.refresh()
        assert known.standing("code").estimate.labels == 1

    def test_what_is_worked_out_anew_is_told_and_only_that(self) -> None:
        told: list[tuple[str, Standing]] = []
        known = board(
            parts.policies(CODE, MATH), on_standing=lambda name, one: told.append((name, one))
        )
        told.clear()
        known.refresh()
        known.learn(label(0.99, category="code", right=False))
        known.refresh()
        ((name, standing),) = told
        assert (name, standing.estimate.ratio) == ("code", 1.0)
        assert standing is known.standing("code")

    @pytest.mark.parametrize("given", [{"scale": "another"}, {"category": "gone"}])
    def test_labels_of_another_scale_or_category_are_not_used(self, given: dict[str, Any]) -> None:
        known = board(parts.policies(CODE))
        known.learn(label(0.99, **{"category": "code", **given}))
        known.refresh()
        assert all(known.standing(name).estimate.labels == 0 for name in known.policies.names)

    def test_another_verifier_begins_anew(self) -> None:
        known = board(parts.policies(CODE))
        learnt(known, "code")
        known.begin("another")
        assert known.scale == "another"
        assert origins(known)["code"] == PROBATION
        learnt(known, "code", scale="another")
        assert origins(known)["code"] == CALIBRATED

    def test_another_store_begins_anew_on_the_same_scale(self) -> None:
        known = board(parts.policies(CODE))
        learnt(known, "code")
        known.anew()
        assert (known.scale, origins(known)["code"]) == (SCALE, PROBATION)

    def test_before_there_is_a_verifier_nothing_is_learnt(self) -> None:
        known = Categories(
            parts.policies(CODE), BoardSettings(), parts.accounts(lambda: 0.0), lambda *_: None
        )
        learnt(known, "code")
        assert known.standing("code").estimate.labels == 0

    def test_the_estimate_is_of_what_is_served(self) -> None:
        known = board(parts.policies(CODE), settings=BoardSettings(SERVING))
        for score, right in ((0.99, True), (0.96, False), (0.9, False)):
            known.learn(label(score, right=right, category="code"))
        known.refresh()
        estimate = known.standing("code").estimate
        assert (estimate.labels, estimate.errors, estimate.ratio) == (2, 1, 0.5)
        assert 0 < estimate.low < 0.5 < estimate.high < 1

    def test_where_nothing_is_served_it_is_of_all_labels(self) -> None:
        known = board(parts.policies(CODE))
        for score in (0.99, 0.6):
            known.learn(label(score, category="code", right=False))
        known.refresh()
        assert known.standing("code").state.normal.threshold is None
        assert known.standing("code").estimate.errors == 2


class TestReload:
    def test_what_was_learnt_under_a_name_that_goes_on_is_kept(self) -> None:
        known = board(parts.policies(CODE, MATH))
        for name in ("code", "math"):
            learnt(known, name)
        before = known.state("code").normal
        known.use(parts.policies(replace(CODE, ttl=7.0)), None)
        assert known.state("code").normal == before
        assert known.policy("code").ttl == 7.0
        known.use(parts.policies(CODE, MATH), None)
        assert origins(known) == {"default": PROBATION, "code": CALIBRATED, "math": PROBATION}

    def test_another_delta_is_judged_by_the_same_labels(self) -> None:
        known = board(parts.policies(CODE))
        learnt(known, "code")
        known.use(parts.policies(replace(CODE, delta=0.0001, delta_overload=0.0001)), None)
        assert known.standing("code").estimate.labels == 400
        assert known.state("code").normal.threshold is None

    def test_a_category_that_is_gone_stands_like_default(self) -> None:
        known = board(parts.policies(CODE))
        learnt(known, "code")
        known.use(parts.policies(), None)
        assert known.standing("code") is known.standing("default")
        assert known.policy("code") is known.policies.of("default")

    def test_new_policies_bring_their_classifier(self) -> None:
        known = board(parts.policies(CODE))
        assert known.classify(VECTOR) == "default"
        known.use(parts.policies(CODE), Says("code"))
        assert known.classify(VECTOR) == "code"

    def test_accounts_of_what_is_gone_are_closed(self) -> None:
        kept = parts.accounts(lambda: 0.0)
        known = board(parts.policies(CODE, MATH), kept=kept)
        for name in ("code", "math"):
            kept.note(name, 1.0)
        known.use(parts.policies(CODE), None)
        assert set(kept.view()) == {"default", "code"}

    def test_the_cold_start_is_the_new_policys(self) -> None:
        known = board(parts.policies(CODE), settings=BoardSettings(SERVING))
        known.use(parts.policies(replace(CODE, threshold=0.91)), None)
        bar = known.state("code").normal
        assert (bar.threshold, bar.origin) == (0.91, COLD_START)


class TestNamed:
    def test_a_category_of_the_file(self) -> None:
        assert board(parts.policies(CODE)).named("code") == "code"
        assert board().named(None) is None

    @pytest.mark.parametrize(
        ("wanted", "said"),
        [("cod", "did you mean 'code'?"), ("Code", "did you mean 'code'?"), ("xyz", "policy file")],
    )
    def test_any_other_is_refused_with_what_was_meant(self, wanted: str, said: str) -> None:
        with pytest.raises(BadRequest, match="no such category") as caught:
            board(parts.policies(CODE)).named(wanted)
        assert said in str(caught.value)
        assert caught.value.status == 400
        assert caught.value.param == "x-cachemw-category"

    def test_a_long_one_is_refused_without_comparing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a request's metadata it may have megabytes, for which comparing takes seconds."""
        monkeypatch.setattr("difflib.get_close_matches", lambda *_args, **_more: 1 / 0)
        with pytest.raises(BadRequest, match="policy file"):
            board(parts.policies(CODE)).named("code" * 100)

    def test_what_a_client_said_is_not_repeated(self) -> None:
        with pytest.raises(BadRequest) as caught:
            board(parts.policies(CODE)).named("a secret of somebody")
        assert "secret" not in str(caught.value)

    def test_where_clients_may_not_choose_nothing_is_named(self) -> None:
        known = board(parts.policies(CODE, client_may_choose=False))
        assert known.named("code") is None
        assert known.named("nonsense") is None


class TestState:
    def test_a_paused_category_is_probed(self) -> None:
        kept = parts.accounts(lambda: 0.0)
        known = board(parts.policies(CODE), kept=kept)
        for _ in range(50):
            kept.note("code", 1.0)
        states = [known.state("code").paused for _ in range(1000)]
        assert 900 < sum(states) < 1000
        assert not known.state("default").paused
        assert not known.standing("code").state.paused

    @pytest.mark.parametrize(("count", "rate"), [(0, 1.0), (9, 1.0), (4000, 0.1)])
    def test_fewer_checks_once_enough_is_known(self, count: int, rate: float) -> None:
        settings = BoardSettings(SERVING, ShadowSettings(share=0.1, dense=10))
        known = board(parts.policies(CODE), settings=settings)
        learnt(known, "code", count)
        assert known.shadow_rate("code") == pytest.approx(rate)
