"""The report's two parts, each written by a command of its own that leaves the other as it is."""

from __future__ import annotations

from pathlib import Path

_BETWEEN = "\n<!-- what follows is written by `python -m loadtests.overload live` -->\n\n"


def write_simulated(path: Path, text: str) -> None:
    """Write the first part."""
    _, live = _parts(path)
    path.write_text(text + (_BETWEEN + live if live else ""), "utf-8")


def write_live(path: Path, text: str) -> None:
    """Write the second part."""
    simulated, _ = _parts(path)
    path.write_text(simulated + _BETWEEN + text, "utf-8")


def _parts(path: Path) -> tuple[str, str]:
    before, _, after = (path.read_text("utf-8") if path.exists() else "").partition(_BETWEEN)
    return before, after
