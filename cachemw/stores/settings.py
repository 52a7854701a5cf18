"""The settings of the document store, as the composition root reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cachemw.errors import ConfigError

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """What to store answers in, and its limits. Raises `ConfigError` for a value out of range.

    `kind` is a name of `cachemw.stores.table`; `path` the file of a store that has one.
    `max_bytes` bounds the stored (compressed) bytes. `timeout_s` is the limit of a `get`, which a
    client waits for; `write_timeout_s` that of everything else, for which nobody waits.
    `queue_limit` bounds the operations waiting per thread. `max_document_bytes` bounds one
    document before compression, and thereby what decoding a damaged one can allocate.

    `origin` names this process in the change log, of which `changes_kept` records are kept.
    `url`, `cluster`, `namespace`, `connections` and the breaker's two are Redis's: after
    `breaker_failures` failures in a row it is left alone, and tried again every `breaker_s`.
    """

    kind: str = "sqlite"
    path: Path = Path("cachemw.sqlite3")
    max_bytes: int = 1024 * MIB
    timeout_s: float = 0.05
    write_timeout_s: float = 2.0
    queue_limit: int = 1024
    compression_level: int = 3
    max_document_bytes: int = 16 * MIB
    origin: str = ""
    changes_kept: int = 100_000
    url: str | None = field(default=None, repr=False)
    cluster: bool = False
    namespace: str = "cachemw"
    connections: int = 64
    breaker_failures: int = 3
    breaker_s: float = 0.5

    def __post_init__(self) -> None:
        for name in (
            "max_bytes",
            "timeout_s",
            "write_timeout_s",
            "queue_limit",
            "max_document_bytes",
            "changes_kept",
            "connections",
            "breaker_failures",
            "breaker_s",
        ):
            if not getattr(self, name) > 0:
                msg = f"store.{name} must be positive, not {getattr(self, name)!r}"
                raise ConfigError(msg)
        if not 1 <= self.compression_level <= 22:
            msg = f"store.compression_level must be 1..22, not {self.compression_level!r}"
            raise ConfigError(msg)
