"""Which codecs are calibrated, and by what. A codec that needs tables adds one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

Calibrator: TypeAlias = "Callable[[PreTrainedModel, Sequence[Tensor]], bytes]"
"""Given a model and texts, int64 [tokens] each and no longer than its context, returns the
calibration file, as `open_codec` reads it. Raises `InvalidInput` where they do not suffice."""

CALIBRATORS: Mapping[str, Calibrator] = MappingProxyType({})
"""By the codec's name."""
