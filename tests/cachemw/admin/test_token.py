"""The token's check; what a client sees of it is in test_routes."""

from __future__ import annotations

from hashlib import sha256

import pytest

from cachemw.admin.token import AdminToken
from cachemw.errors import AdminClosed, NotAuthenticated

TOKEN = AdminToken(sha256(b"right").hexdigest())


def test_the_right_one_is_known_by_its_hash() -> None:
    who = TOKEN.check("right")
    assert sha256(b"right").hexdigest().startswith(who)
    assert len(who) == 8


@pytest.mark.parametrize("presented", [None, "", "wrong", "right ", "Right", "\u2028", "\udcff"])
def test_no_other(presented: str | None) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        TOKEN.check(presented)
    assert "right" not in str(caught.value)


def test_without_a_token_nobody_is_let_in() -> None:
    with pytest.raises(AdminClosed):
        AdminToken(None).check("")
