from __future__ import annotations

import pytest
from cachemw_codecs.container.fields import Fields
from cachemw_codecs.errors import DamagedData


def test_fields_are_taken_from_front_to_back() -> None:
    fields = Fields(b"skipped\x03ab-\x02\x00\xff" + bytes([1, 0, 0, 0, 255, 255, 255, 255]), 7)
    assert fields.name("a name") == "ab-"
    assert fields.short("a hash") == b"\x00\xff"
    assert fields.left == 8
    assert fields.pairs(1, "pairs").tolist() == [[1, 0xFFFFFFFF]]
    assert fields.left == 0


@pytest.mark.parametrize("name", [b"", b"A", b"a b", b"a\n", b"\xe9", b"a" * 32, "ſ".encode()])
def test_what_is_not_a_name_is_refused(name: bytes) -> None:
    with pytest.raises(DamagedData, match="the level is not a name"):
        Fields(bytes([len(name)]) + name, 0).name("the level")


def test_the_end_is_said_with_what_it_cuts() -> None:
    for take in (
        lambda: Fields(b"abc", 1).take(3, "it"),
        lambda: Fields(b"", 0).short("it"),
        lambda: Fields(b"\x04abc", 0).short("it"),
        lambda: Fields(bytes(15), 0).pairs(2, "it"),
    ):
        with pytest.raises(DamagedData, match="ends inside it"):
            take()
