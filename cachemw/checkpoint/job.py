"""What the process that writes a snapshot is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from cachemw.index.partitions import IndexSettings
from cachemw.stores.settings import StoreSettings


@dataclass(frozen=True, slots=True)
class CheckpointJob:
    """Where the snapshot lies, of which embedder's vectors (`dimension` each), in which store."""

    folder: Path
    fingerprint: str
    dimension: int
    index: IndexSettings
    store: StoreSettings

    def to_json(self) -> bytes:
        """Return it as JSON; it may hold the store's password."""
        return orjson.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, data: bytes) -> CheckpointJob:
        """Return what `to_json` was called on."""
        fields = orjson.loads(data)
        store = fields["store"]
        return cls(
            folder=Path(fields["folder"]),
            fingerprint=fields["fingerprint"],
            dimension=fields["dimension"],
            index=IndexSettings(**fields["index"]),
            store=StoreSettings(**{**store, "path": Path(store["path"])}),
        )
