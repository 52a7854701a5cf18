"""The calibration file of `transform`: what encoder and decoder have to agree on.

A safetensors file. C: channels of a layer's keys, kv_heads x head_dim; index 0 keys, 1 values.

    synthesis     float16 [layers, 2, C, C]   x = mean + y @ synthesis, y in steps of shift 0
    means         float32 [2, layers, 2, C]   of all tokens but the first; of the first
    scales        int8    [layers, 2, 17, C]  standard deviation of each coordinate, on the
                                              grid: of tokens, then of each frequency
    shapes        uint8   [layers, 2, C]      of `classes`
    frequency_shifts  int8  [layers, 2, 16]   step of a frequency, in quarter octaves
    frequencies   uint16  [classes, 256]
    offsets       float32 [classes]
    level_shifts  int32   [7]                 step of a level, in quarter octaves, finest first
    zone_shifts   int32   [7]                 step of a setting of `zones`, likewise, added
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.coding.frequencies import FrequencyTables
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.fingerprint import tables_hash
from cachemw_codecs.kv import MAX_CHANNELS
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.classes import CLASSES, ESCAPE, SCALES, SHAPES, STEPS_PER_OCTAVE
from cachemw_codecs.transform.zones import FIRST, SETTINGS, by_block

_FORMAT = "1"
_LARGEST_SHIFT = 300
"""Of level, setting and frequency together. Steps within 2^(+-75): with values of 2^15 steps and a
synthesis of 2^16 the sums over blocks and 2^15 channels stay within float32."""
_MOST_DIGITS = len(str(MAX_CHANNELS))


@dataclass(frozen=True)
class TransformTables:
    """The file, loaded; see the module. Not modified by anybody."""

    synthesis: NDArray[np.float16]
    means: NDArray[np.float32]
    scales: NDArray[np.int8]
    shapes: NDArray[np.uint8]
    frequency_shifts: NDArray[np.int8]
    frequencies: NDArray[np.uint16]
    offsets: NDArray[np.float32]
    level_shifts: NDArray[np.int32]
    zone_shifts: NDArray[np.int32]
    kv_heads: int
    digest: bytes = b""

    def __post_init__(self) -> None:
        if self.synthesis.ndim != 4 or not self.synthesis.size:
            raise InvalidInput(f"tables: synthesis is {list(self.synthesis.shape)}")
        layers, channels = self.layers, self.channels
        wanted = {
            "synthesis": (np.float16, (layers, 2, channels, channels)),
            "means": (np.float32, (2, layers, 2, channels)),
            "scales": (np.int8, (layers, 2, 1 + BLOCK, channels)),
            "shapes": (np.uint8, (layers, 2, channels)),
            "frequency_shifts": (np.int8, (layers, 2, BLOCK)),
            "frequencies": (np.uint16, (CLASSES, 256)),
            "offsets": (np.float32, (CLASSES,)),
            "level_shifts": (np.int32, (len(LADDER),)),
            "zone_shifts": (np.int32, (SETTINGS,)),
        }
        for name, (dtype, shape) in wanted.items():
            _require(name, getattr(self, name), np.dtype(dtype), shape)
        shifts = (self.level_shifts, self.zone_shifts, self.frequency_shifts)
        if sum(int(np.abs(some.astype(np.int64)).max()) for some in shifts) > _LARGEST_SHIFT:
            raise InvalidInput(
                "tables: level_shifts, zone_shifts and frequency_shifts make a step that cannot be"
            )
        if int(self.shapes.max()) >= len(SHAPES):
            raise InvalidInput(f"tables: shapes has one of {len(SHAPES)} or more")
        if bool((np.abs(self.offsets) > 1).any()):
            raise InvalidInput("tables: offsets has one of more than a step")
        _require_codable(self.frequencies)
        if channels > MAX_CHANNELS or self.kv_heads < 1 or channels % self.kv_heads:
            raise InvalidInput(
                f"tables: {channels} channels are not those of {self.kv_heads} heads"
            )

    @classmethod
    def load(cls, data: bytes) -> TransformTables:
        """Read a file; raises `InvalidInput` where it is not one, or damaged."""
        try:
            tensors = load(data)
            about = _metadata(data)
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"tables: not a calibration file of transform: {error}") from error
        version, _, heads = about.get("transform", "").partition(" ")
        if version != _FORMAT or not heads.isdecimal() or len(heads) > _MOST_DIGITS:
            raise InvalidInput(
                f"tables: {about} is not that of a calibration file of transform, format {_FORMAT}"
            )
        names = cls.__dataclass_fields__.keys() - {"kv_heads", "digest"}
        if tensors.keys() != names:
            raise InvalidInput(f"tables: expected {', '.join(sorted(names))}")
        return cls(**tensors, kv_heads=int(heads), digest=tables_hash(data))

    def save(self) -> bytes:
        """Return the file; `load` of it is equal but for the digest."""
        names = self.__dataclass_fields__.keys() - {"kv_heads", "digest"}
        # One value: safetensors writes several in any order, and the file's hash is its name.
        about = {"transform": f"{_FORMAT} {self.kv_heads}"}
        return save({name: getattr(self, name) for name in sorted(names)}, metadata=about)

    @property
    def layers(self) -> int:
        """Of the model."""
        return int(self.synthesis.shape[0])

    @property
    def channels(self) -> int:
        """Of a layer's keys: kv_heads x head_dim."""
        return int(self.synthesis.shape[-1])

    @cached_property
    def coder(self) -> FrequencyTables:
        """The frequency tables, as the coder takes them."""
        return FrequencyTables(self.frequencies)

    @cached_property
    def codable(self) -> NDArray[np.bool_]:
        """Which symbols each class has: bool [classes, 256]."""
        return self.frequencies > 0

    def classes(self, layer: int, kind: int, level: int, setting: int) -> NDArray[np.int32]:
        """Return int32 [rows of `shifts`, C]: the class of each coordinate, see `classes`."""
        scales = self.scales[layer, kind].astype(np.int32)
        scales = scales[1:] if by_block(setting) else scales[:1]
        scales = scales - self.shifts(layer, kind, level, setting)[:, None]
        shapes = self.shapes[layer, kind].astype(np.int32)
        return np.asarray(shapes * SCALES + np.clip(scales, 0, SCALES - 1), np.int32)

    def shifts(self, layer: int, kind: int, level: int, setting: int) -> NDArray[np.int32]:
        """Return the steps at a level and setting, in quarter octaves over that of `medium`.

        int32 [16], a frequency each, where the setting takes tokens by the block; else [1].
        """
        all_alike = self.level_shifts[level] + self.zone_shifts[setting]
        if not by_block(setting):
            return np.array([all_alike], np.int32)
        return np.asarray(all_alike + self.frequency_shifts[layer, kind].astype(np.int32))

    def steps(self, layer: int, kind: int, level: int, setting: int) -> NDArray[np.float32]:
        """Return the same as factors, float32."""
        shifts = self.shifts(layer, kind, level, setting)
        return np.asarray(np.exp2(shifts.astype(np.float32) / np.float32(STEPS_PER_OCTAVE)))

    def mean(self, layer: int, kind: int, setting: int) -> NDArray[np.float32]:
        """Return float32 [C]: what to add behind the transform."""
        return np.asarray(self.means[int(setting == FIRST), layer, kind])

    def analysis(self, layer: int, kind: int) -> NDArray[np.float32]:
        """Return float32 [C, C]: y = (x - mean) @ analysis, the inverse of the synthesis.

        Only the encoder needs it. Raises `InvalidInput` where there is none.
        """
        if (layer, kind) not in self._inverses:
            try:
                inverse = np.linalg.inv(self.synthesis[layer, kind].astype(np.float64))
            except np.linalg.LinAlgError as error:
                raise InvalidInput("tables: synthesis has no inverse") from error
            self._inverses[layer, kind] = inverse.astype(np.float32)
        return self._inverses[layer, kind]

    @cached_property
    def _inverses(self) -> dict[tuple[int, int], NDArray[np.float32]]:
        """Those that were asked for: of all layers at once they would take gigabytes to make."""
        return {}


def _require(name: str, value: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if value.dtype != dtype or value.shape != shape:
        raise InvalidInput(
            f"tables: {name} is {value.dtype} {list(value.shape)}, expected {dtype} {list(shape)}"
        )
    if dtype.kind == "f" and not bool(np.isfinite(value).all()):
        raise InvalidInput(f"tables: {name} has a value that is not finite")


def _require_codable(frequencies: NDArray[np.uint16]) -> None:
    try:
        FrequencyTables(frequencies)
    except ValueError as error:
        raise InvalidInput(f"tables: frequencies: {error}") from error
    if not bool(frequencies[:, ESCAPE].all()):
        raise InvalidInput("tables: frequencies has a table without escapes")


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    about = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return {str(key): str(value) for key, value in about.items()}
