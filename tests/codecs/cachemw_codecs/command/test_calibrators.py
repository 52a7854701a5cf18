from __future__ import annotations

from cachemw_codecs.command.calibrators import CALIBRATORS
from cachemw_codecs.table import NAMES


def test_only_codecs_are_calibrated() -> None:
    assert set(CALIBRATORS) <= set(NAMES)
