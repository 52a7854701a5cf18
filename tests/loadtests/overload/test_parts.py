"""Both commands write one report, each its part."""

from __future__ import annotations

from pathlib import Path

from loadtests.overload.parts import write_live, write_simulated


def test_either_command_leaves_the_others_part_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    write_simulated(path, "# one\n")
    assert path.read_text() == "# one\n"
    write_live(path, "# two\n")
    write_simulated(path, "# one, anew\n")
    assert path.read_text().startswith("# one, anew\n")
    assert path.read_text().endswith("\n# two\n")
    write_live(path, "# two, anew\n")
    assert "# one, anew\n" in path.read_text()
    assert path.read_text().endswith("\n# two, anew\n")
    assert path.read_text().count("# two") == 1


def test_the_second_part_may_come_first(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    write_live(path, "# two\n")
    write_simulated(path, "# one\n")
    text = path.read_text()
    assert text.index("# one") < text.index("# two")
