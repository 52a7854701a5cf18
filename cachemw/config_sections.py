"""The sections of the configuration: every key with its default and what it may be.

`deploy/reference.yaml` says what each means.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of the configuration; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# `~` is the user's home, as in a shell.
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]
# YAML reads a bare `off` as false.
ModeName = Annotated[
    Literal["off", "exact", "semantic", "full"],
    BeforeValidator(lambda value: "off" if value is False else value),
]


class ServerConfig(Section):
    """Where cachemw listens, what it accepts and how it goes away."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    workers: int = Field(1, gt=0, le=256)
    max_body_bytes: int = Field(10 * 1024 * 1024, gt=0)
    body_bytes: int = Field(256 * 1024 * 1024, gt=0)
    max_connections: int = Field(4096, gt=0)
    drain_seconds: float = Field(1.0, ge=0)
    shutdown_seconds: float = Field(30.0, ge=0)


class PriceConfig(Section):
    """US dollars per million tokens."""

    prompt: float = Field(0.0, ge=0)
    completion: float = Field(0.0, ge=0)


class FallbackConfig(Section):
    """Where a call goes when an upstream fails; `model` null asks for the same model there."""

    upstream: str
    model: str | None = None


class UpstreamConfig(Section):
    """One OpenAI-compatible backend, or a model loaded here (`local`)."""

    name: str = Field(min_length=1)
    base_url: str | None = None
    local: str | None = None
    local_threads: int = Field(1, gt=0)
    models: list[str] = ["*"]
    aliases: dict[str, str] = {}
    default_model: str | None = None
    api_key: str | None = Field(None, repr=False)
    api_key_env: str | None = None
    ask_usage: bool = True
    prices: dict[str, PriceConfig] = {}
    connect_seconds: float = Field(5.0, gt=0)
    first_byte_seconds: float = Field(120.0, gt=0)
    total_seconds: float = Field(600.0, gt=0)
    connections: int = Field(256, gt=0)
    retries: int = Field(2, ge=0, le=10)
    retry_base_seconds: float = Field(0.25, gt=0)
    retry_max_seconds: float = Field(8.0, gt=0)
    breaker_failures: int = Field(5, gt=0)
    breaker_seconds: float = Field(5.0, gt=0)
    capacity: int | None = Field(None, gt=0)
    fallbacks: list[FallbackConfig] = []

    @model_validator(mode="after")
    def _one_kind(self) -> UpstreamConfig:
        if (self.base_url is None) == (self.local is None):
            raise ValueError("give either base_url or local")
        if self.base_url is not None and not self.base_url.startswith(("http://", "https://")):
            raise ValueError("base_url must start with http:// or https://")
        if self.api_key is not None and self.api_key_env is not None:
            raise ValueError("give either api_key or api_key_env")
        return self


class CacheConfig(Section):
    """What is cached, for how long, and how large it may be."""

    ttl_seconds: float | None = Field(None, gt=0)
    memory_bytes: int = Field(64 * 1024 * 1024, ge=0)
    max_answer_bytes: int = Field(4 * 1024 * 1024, gt=0)
    store_truncated: bool = False
    key_headers: list[str] = ["openai-beta", "openai-organization", "openai-project"]
    commit_wait_seconds: float = Field(0.01, ge=0)
    share_flights: bool = True
    lease_seconds: float = Field(10.0, gt=0)
    flight_bytes: int = Field(256 * 1024 * 1024, gt=0)
    follower_wait_seconds: float = Field(30.0, gt=0)
    tenant_isolation: bool = True


class StoreConfig(Section):
    """Where documents live."""

    kind: Literal["memory", "sqlite", "redis"] = "sqlite"
    path: UserPath | None = None
    url: str | None = Field(None, repr=False)
    url_env: str | None = None
    cluster: bool = False
    namespace: str = Field("cachemw", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    connections: int = Field(64, gt=0)
    breaker_failures: int = Field(3, gt=0)
    breaker_seconds: float = Field(0.5, gt=0)
    max_bytes: int = Field(1024 * 1024 * 1024, gt=0)
    max_entries: int | None = Field(None, gt=0)
    get_seconds: float = Field(0.04, gt=0)
    put_seconds: float = Field(2.0, gt=0)
    queue: int = Field(1024, gt=0)
    compression_level: int = Field(3, ge=1, le=22)
    sweep_seconds: float = Field(60.0, gt=0)
    change_poll_seconds: float = Field(0.2, gt=0)
    changes_kept: int = Field(100_000, gt=0)

    @model_validator(mode="after")
    def _redis_alone_has_a_url(self) -> StoreConfig:
        if self.url is not None and self.url_env is not None:
            raise ValueError("give either url or url_env")
        if self.kind != "redis" and (self.url is not None or self.url_env is not None):
            raise ValueError(f"a store of kind {self.kind} has no URL; did you mean kind: redis?")
        return self


class SemanticConfig(Section):
    """The semantic tier."""

    min_similarity: float = Field(0.65, ge=0, le=1)
    top_k: int = Field(8, gt=0, le=100)
    verifier: str = Field("shipped", min_length=1)
    verified: int = Field(3, gt=0, le=16)
    verify_seconds: float = Field(0.25, gt=0)
    max_chars: int = Field(2000, gt=0)
    max_temperature: float | None = Field(None, ge=0)
    max_vectors: int = Field(200_000, gt=0)
    switch_at: int = Field(8000, gt=0)
    search_seconds: float = Field(0.25, gt=0)
    snapshot_seconds: float = Field(600.0, ge=0)


class CategoriesConfig(Section):
    """The policy file; null for the shipped taxonomy."""

    file: UserPath | None = None
    reload_seconds: float = Field(2.0, gt=0)


class GuaranteeConfig(Section):
    """How thresholds are proven from labels."""

    alpha: float = Field(0.02, gt=0, lt=0.5)
    cold_start: Literal["threshold", "probation"] = "threshold"
    window: int = Field(4000, gt=0, le=20_000)
    positive_feedback: bool = False


class ShadowConfig(Section):
    """Served hits that are checked upstream in the background, and candidates that were not."""

    share: float = Field(0.02, ge=0, le=1)
    dense: int = Field(100, ge=0)
    per_minute: float = Field(60.0, ge=1)
    in_flight: int = Field(4, gt=0)
    max_load: float = Field(0.5, ge=0, le=1)
    seconds: float = Field(600.0, gt=0)
    credentials: Literal["withhold", "own", "any"] = "withhold"
    judge_model: str | None = None
    judge_misses: bool = False
    misses_per_second: float = Field(5.0, gt=0)


class AdaptationConfig(Section):
    """How thresholds and TTLs give way to an upstream's load."""

    enabled: bool = True
    queueing_from: float = Field(1.5, ge=1)
    queueing_full: float = Field(4.0, gt=1)
    error_from: float = Field(0.1, ge=0, le=1)
    error_full: float = Field(0.5, gt=0, le=1)
    rise_seconds: float = Field(5.0, gt=0)
    fall_seconds: float = Field(60.0, gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> AdaptationConfig:
        if self.queueing_from >= self.queueing_full or self.error_from >= self.error_full:
            raise ValueError("adaptation: `_from` must be below `_full`")
        if self.rise_seconds > self.fall_seconds:
            raise ValueError("adaptation: a level rises no slower than it falls")
        return self


class AccountingConfig(Section):
    """What a lookup costs and a second of waiting is worth, in US dollars."""

    cpu_usd_per_hour: float = Field(0.05, ge=0)
    usd_per_second: float = Field(0.001, gt=0)
    probes: float = Field(0.05, gt=0, le=1)


class EmbedderConfig(Section):
    """The embedding model."""

    model: str = "minilm"
    runtime: Literal["auto", "openvino", "onnxruntime", "torch"] = "auto"
    precision: Literal["auto", "f32", "bf16"] = "auto"
    device: str = "cpu"
    threads: int = Field(1, gt=0)
    max_batch: int = Field(32, gt=0)
    max_wait_seconds: float = Field(0.5, gt=0)
    max_queue: int = Field(256, gt=0)
    recent_bytes: int = Field(8 * 1024 * 1024, ge=0)


class ReplayConfig(Section):
    """How stored answers are streamed."""

    piece_chars: int = Field(24, gt=0)
    pause_seconds: float = Field(0.0, ge=0)


class KeyConfig(Section):
    """A virtual API key: the SHA-256 of the key in hex, whose it is, and what it may use.

    `rpm` and `tpm` are requests and tokens a minute; null for no limit.
    """

    name: str = Field(min_length=1, max_length=128)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    tenant: str = Field(min_length=1, max_length=128)
    rpm: int | None = Field(None, gt=0)
    tpm: int | None = Field(None, gt=0)


class IdentityConfig(Section):
    """Who may ask. With no keys, the client's credential goes upstream and its hash is the tenant.

    With keys, only they are accepted, and none of them leaves this process.
    """

    keys: list[KeyConfig] = []

    @model_validator(mode="after")
    def _distinct(self) -> IdentityConfig:
        for attribute in ("name", "sha256"):
            values = [getattr(key, attribute) for key in self.keys]
            if len(set(values)) < len(values):
                raise ValueError(f"identity.keys: two share the same {attribute}")
        return self


class AdminConfig(Section):
    """The `/cache/*` endpoints; closed as long as there is no token.

    `token_sha256` is the hash of the token in hex; `token_env` names a variable that holds it.
    """

    token_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", repr=False)
    token_env: str | None = None

    @model_validator(mode="after")
    def _one(self) -> AdminConfig:
        if self.token_sha256 is not None and self.token_env is not None:
            raise ValueError("admin: give either token_sha256 or token_env")
        return self


class LogsConfig(Section):
    """Logging; prompts are never logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "plain"] = "json"


class Config(Section):
    """The whole configuration. `cache_dir` holds the store and prepared models."""

    mode: ModeName = "full"
    cache_dir: UserPath
    server: ServerConfig = ServerConfig()
    upstreams: list[UpstreamConfig] = Field(min_length=1)
    cache: CacheConfig = CacheConfig()
    store: StoreConfig = StoreConfig()
    semantic: SemanticConfig = SemanticConfig()
    categories: CategoriesConfig = CategoriesConfig()
    guarantee: GuaranteeConfig = GuaranteeConfig()
    shadow: ShadowConfig = ShadowConfig()
    adaptation: AdaptationConfig = AdaptationConfig()
    accounting: AccountingConfig = AccountingConfig()
    embedder: EmbedderConfig = EmbedderConfig()
    replay: ReplayConfig = ReplayConfig()
    identity: IdentityConfig = IdentityConfig()
    admin: AdminConfig = AdminConfig()
    logs: LogsConfig = LogsConfig()

    @model_validator(mode="after")
    def _distinct_upstreams(self) -> Config:
        names = [upstream.name for upstream in self.upstreams]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"upstreams: two share the name '{twice[0]}'")
        return self

    @model_validator(mode="after")
    def _known_fallbacks(self) -> Config:
        names = [upstream.name for upstream in self.upstreams]
        for upstream in self.upstreams:
            for fallback in upstream.fallbacks:
                where = f"upstreams.{upstream.name}.fallbacks"
                if fallback.upstream == upstream.name:
                    raise ValueError(f"{where}: '{upstream.name}' cannot stand in for itself")
                if fallback.upstream not in names:
                    near = difflib.get_close_matches(fallback.upstream, names, n=1, cutoff=0.5)
                    meant = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"
                    raise ValueError(f"{where}: no upstream '{fallback.upstream}'; {meant}")
        return self
