from __future__ import annotations

import inspect

import pytest
from cachemw_codecs import errors
from cachemw_codecs.errors import CodecError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind is not CodecError and kind.__module__ == errors.__name__
]


def test_the_module_shows_all_of_the_tree() -> None:
    assert len(KINDS) == 5
    for kind in KINDS:
        assert f"── {kind.__name__} " in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", KINDS)
def test_one_clause_catches_all_and_none_passes_for_another(kind: type[CodecError]) -> None:
    with pytest.raises(CodecError, match="tokens: 3"):
        raise kind("tokens: 3")
    assert not any(issubclass(kind, other) for other in KINDS if other is not kind)
    # Python's own errors are faults of the program, and are not caught with these.
    assert not issubclass(kind, ValueError | KeyError | OSError)
