"""Which codecs are calibrated, and by what. A codec that needs tables adds a line at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

Calibrator: TypeAlias = "Callable[[PreTrainedModel, Sequence[Tensor]], bytes]"
"""Given a model and texts, int64 [tokens] each and no longer than its context, returns the
calibration file, as `open_codec` reads it. Raises `InvalidInput` where they do not suffice.
Imports what it needs when it is called: `--help` needs none of it."""


def _cachegen(model: PreTrainedModel, texts: Sequence[Tensor]) -> bytes:
    from cachemw_codecs.codecs.cachegen import profile  # noqa: PLC0415
    from cachemw_codecs.hf import capture, fingerprint  # noqa: PLC0415

    samples = (capture(model, text).layers for text in texts)
    return profile(samples, model=fingerprint(model, None).model)


def _transform(model: PreTrainedModel, texts: Sequence[Tensor]) -> bytes:
    from cachemw_codecs.transform.calibrate import calibrate  # noqa: PLC0415
    from cachemw_codecs.transform.sensitivity import FEWEST_TOKENS  # noqa: PLC0415

    # The end of a text may be too short where its other windows are not.
    long = [text for text in texts if text.numel() >= FEWEST_TOKENS]
    return calibrate(model, long or texts)


CALIBRATORS: Mapping[str, Calibrator] = MappingProxyType(
    {"cachegen": _cachegen, "transform": _transform}
)
"""By the codec's name."""
