"""Commands, scripts, and what error replies become."""

from __future__ import annotations

import pytest
from redis.exceptions import OutOfMemoryError, ResponseError

from cachemw.errors import StoreUnavailable
from cachemw.stores.redis_servers import Command, Script, checked


def test_error_replies_are_told_without_what_they_quote() -> None:
    assert checked([1, None, b"x"]) == [1, None, b"x"]
    with pytest.raises(StoreUnavailable, match="ResponseError") as caught:
        checked([b"x", ResponseError("unknown command 'PROMPT TEXT'")])
    assert "PROMPT" not in repr(caught.value)
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        checked([OutOfMemoryError("command not allowed")])


def test_a_script_has_the_name_that_redis_gives_it() -> None:
    # From Redis' documentation of SCRIPT LOAD.
    script = Script("return 'Immabe a cached script'")
    assert script.name == "c664a3bf70bd1d45c4284ffebb65a6f2299bfc9f"
    call = Command.of_script(script, [b"k"], "a")
    assert call.with_source() == ("EVAL", script.source, 1, b"k", "a")
    assert Command(b"k", ("GET", b"k")).with_source() == ("GET", b"k")
