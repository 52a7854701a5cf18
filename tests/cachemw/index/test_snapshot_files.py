"""A folder replaced all at once: half of it is never read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cachemw.index.snapshot_files import Damaged, in_force, publish, verified


def write(text: str, *, fail: bool = False) -> Callable[[Path], None]:
    """Return a writer of two files."""

    def two(new: Path) -> None:
        (new / "one").write_text(text)
        if fail:
            raise OSError(28, "No space left on device")
        (new / "two").write_text(text * 1000)

    return two


def test_what_is_published_is_read(tmp_path: Path) -> None:
    assert verified(tmp_path / "folder") is None
    publish(tmp_path / "folder", {"a": 1}, write("x"))
    found = verified(tmp_path / "folder")
    assert found is not None
    assert found[1] == {"a": 1}
    assert (found[0] / "two").read_text() == "x" * 1000


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    publish(tmp_path, {}, write("old"))
    before = in_force(tmp_path)
    with pytest.raises(OSError, match="No space"):
        publish(tmp_path, {}, write("new", fail=True))
    assert in_force(tmp_path) == before
    assert len(list(tmp_path.glob("snapshot-*"))) == 1
    found = verified(tmp_path)
    assert found is not None
    assert (found[0] / "one").read_text() == "old"


@pytest.mark.parametrize("name", ["CURRENT", "one", "manifest.json"])
def test_damage_is_an_error(tmp_path: Path, name: str) -> None:
    publish(tmp_path, {}, write("x"))
    (path,) = tmp_path.rglob(name)
    path.write_bytes(b"y" + path.read_bytes()[1:])
    with pytest.raises(Damaged):
        verified(tmp_path)


def test_a_name_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    publish(tmp_path, {}, write("x"))
    (tmp_path / "CURRENT").write_text("snapshot-/../../etc 00")
    with pytest.raises(Damaged):
        verified(tmp_path)
