from __future__ import annotations

import stat
from pathlib import Path

from cachemw.workers.directory import place_for_figures, private_directory


def test_it_is_private_and_goes_with_the_block(tmp_path: Path) -> None:
    with private_directory(tmp_path) as made:
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        (made / "counter_0.db").touch()
    assert not made.exists()


def test_one_in_use_is_left_alone_and_one_left_behind_is_removed(tmp_path: Path) -> None:
    with private_directory(tmp_path) as first:
        left = tmp_path / first.name.replace(first.name[-3:], "old")
        left.mkdir()
        (left / "lock").touch()
        being_made = tmp_path / first.name.replace(first.name[-3:], "new")
        being_made.mkdir()
        with private_directory(tmp_path) as second:
            assert first.exists()
            assert second.exists()
            assert being_made.exists()
            assert not left.exists()


def test_there_is_a_place() -> None:
    assert place_for_figures().is_dir()
