"""What the board says of documents: how old they may be, and those of no category yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy

from cachemw.categories.board import Categories
from tests.cachemw import parts
from tests.cachemw.parts import board
from tests.cachemw.quotas.conftest import document

CODE = CategoryPolicy("code")
MATH = CategoryPolicy("math")
NOW = 1_000_000.0


def _strictest(*some: CategoryPolicy) -> CategoryPolicy:
    return board(parts.policies(*some)).strictest


class TestStrictest:
    """What is stored before its category is known lives by what all of them agree to."""

    def test_the_shortest_ttl_of_all_in_calm_and_under_load(self) -> None:
        strict = _strictest(replace(CODE, ttl=50.0), replace(MATH, ttl=70.0, ttl_overload=20.0))
        assert (strict.ttl, strict.ttl_overload, strict.longest_ttl) == (50.0, 50.0, 50.0)

    @pytest.mark.parametrize(
        ("some", "allowed"), [((CODE,), True), ((CODE, replace(MATH, allow_caching=False)), False)]
    )
    def test_one_that_is_not_cached_keeps_all_out(
        self, some: Sequence[CategoryPolicy], allowed: bool
    ) -> None:
        assert _strictest(*some).allow_caching is allowed

    def test_one_that_is_personal_makes_all_so(self) -> None:
        assert not _strictest(CODE).personalised
        assert _strictest(CODE, replace(MATH, personalised=True)).personalised

    def test_it_serves_nothing_near_and_counts_as_default(self) -> None:
        assert (_strictest(CODE).delta, _strictest(CODE).name) == (0.0, "default")

    def test_it_follows_the_policies(self) -> None:
        known = board(parts.policies(replace(CODE, ttl=50.0)))
        known.use(parts.policies(replace(CODE, ttl=40.0)), None)
        assert known.strictest.ttl == 40.0


class TestFreshness:
    def known(self, **policy: Any) -> Categories:
        return board(parts.policies(replace(CODE, ttl=100.0, ttl_overload=300.0, **policy)))

    def left(self, known: Categories, age: float, load: float = 0.0, **more: Any) -> float:
        stored = document(
            1, category="code", created_at=NOW - age, expires_at=NOW - age + 300, **more
        )
        return known.freshness(stored, NOW, load).ttl_left

    def test_by_the_policy_of_its_category_and_the_load(self) -> None:
        known = self.known()
        assert self.left(known, 99) == 1
        assert self.left(known, 101) == -1
        assert self.left(known, 101, load=1.0) == 199
        assert self.left(known, 301, load=1.0) == -1

    def test_a_policy_that_has_become_stricter_holds_for_what_is_stored(self) -> None:
        known = self.known()
        known.use(parts.policies(replace(CODE, ttl=10.0, ttl_overload=10.0)), None)
        assert self.left(known, 11, load=1.0) < 0

    def test_what_may_no_longer_be_cached_is_not_served(self) -> None:
        known = self.known(allow_caching=False)
        fresh = known.freshness(document(1, category="code", created_at=NOW - 7), NOW, 0.0)
        assert (fresh.age, fresh.servable) == (7.0, False)

    def test_a_sliding_one_lives_by_its_expiry(self) -> None:
        assert self.left(self.known(sliding=True), 250) == 50

    def test_a_client_may_want_it_younger(self) -> None:
        stored = document(1, category="code", created_at=NOW - 50, expires_at=NOW + 300)
        assert self.known().freshness(stored, NOW, 0.0, max_age=49).servable is False
        assert self.known().freshness(stored, NOW, 0.0, max_age=60).ttl_left == 10

    def test_a_document_of_a_category_that_is_gone_lives_by_default(self) -> None:
        known = board(parts.policies(CategoryPolicy("default", ttl=20.0)))
        stored = document(1, category="gone", created_at=NOW - 10, expires_at=NOW + 300)
        assert known.freshness(stored, NOW, 0.0).ttl_left == 10
