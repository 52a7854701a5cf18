"""The fence: what is refused depends on when its call began, whatever else was removed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cachemw.admin.fence import Fence
from cachemw.admin.filters import EntryFilter
from tests.cachemw.admin.conftest import document
from tests.support.service import Clock

BOB = EntryFilter(tenant="bob")


def fence_at(monotonic: Clock, kept: int = 256) -> Fence:
    return Fence(Clock(), monotonic, kept=kept)


def test_only_what_began_before_a_removal_and_matches_it_is_refused() -> None:
    time = Clock(10.0)
    fence = fence_at(time)
    assert not fence.refuses(document(1, tenant="bob"), fence.began(5.0))
    fence.raise_against(BOB)
    assert fence.refuses(document(1, tenant="bob"), 9.9)
    assert not fence.refuses(document(1), 9.9)
    assert not fence.refuses(document(1, tenant="bob"), 10.1)
    time.now = 20.0
    assert fence.began(10.5) == 9.5


def test_a_later_removal_of_others_hides_no_earlier_one() -> None:
    time = Clock(10.0)
    fence = fence_at(time)
    fence.raise_against(BOB)
    for _ in range(5):
        time.now += 1
        fence.raise_against(EntryFilter(tenant="carol"))
    assert fence.refuses(document(1, tenant="bob"), 9.0)
    assert not fence.refuses(document(1, tenant="bob"), 11.0)


def test_an_answer_made_now_is_not_older_than_anything() -> None:
    time = Clock(10.0)
    fence = fence_at(time)
    fence.raise_against(EntryFilter(older_than=60.0))
    assert not fence.refuses(document(0, created_at=Clock().now + 5), 9.0)
    fence.raise_against(EntryFilter(younger_than=60.0))
    assert fence.refuses(document(0, created_at=Clock().now + 5), 9.0)


@given(
    st.lists(st.sampled_from(["alice", "bob", "carol"]), max_size=12),
    st.floats(0, 15),
    st.integers(1, 6),
)
def test_nothing_removed_is_ever_let_back(tenants: list[str], began: float, kept: int) -> None:
    """However few removals are remembered; and with all remembered, nothing else is refused."""
    time = Clock(0.0)
    bounded, full = fence_at(time, kept), fence_at(time)
    removals = []
    for tenant in tenants:
        time.now += 1
        removals.append((time.now, tenant))
        bounded.raise_against(EntryFilter(tenant=tenant))
        full.raise_against(EntryFilter(tenant=tenant))
    for tenant in ("alice", "bob", "carol"):
        removed = any(at >= began and each == tenant for at, each in removals)
        assert full.refuses(document(1, tenant=tenant), began) == removed
        if removed:
            assert bounded.refuses(document(1, tenant=tenant), began)
