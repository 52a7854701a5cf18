"""The configuration: one YAML file, environment overrides, embedded defaults.

`deploy/reference.yaml` documents every key with its default. A key that is unknown or a value that
cannot be used is a ConfigError that names it and what was probably meant.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from cachemw.errors import ConfigError

ENV_PREFIX = "CACHEMW_"
# Read by other parts (tests, benchmarks, `cachemw entries`), not by the configuration.
_ENV_ELSEWHERE = frozenset({"CACHEMW_SHARED_DATA", "CACHEMW_ADMIN_TOKEN"})


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

    ttl_seconds: float = Field(86_400.0, gt=0)
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

    threshold: float = Field(0.95, ge=0, le=1)
    top_k: int = Field(8, gt=0, le=100)
    max_chars: int = Field(2000, gt=0)
    max_temperature: float | None = Field(None, ge=0)
    max_vectors: int = Field(200_000, gt=0)
    switch_at: int = Field(8000, gt=0)
    search_seconds: float = Field(0.25, gt=0)
    snapshot_seconds: float = Field(600.0, ge=0)


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


def load_file(path: Path, env: Mapping[str, str] = os.environ) -> Config:
    """Load a YAML file with environment overrides. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.safe_load(text) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}).") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {_trouble(error)}.") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected keys at the top, such as 'upstreams:'.")
    return load_config(data, env)


def load_config(data: Mapping[str, Any] | None, env: Mapping[str, str] = os.environ) -> Config:
    """Build the configuration from parsed YAML (None: embedded defaults). Raises ConfigError."""
    merged = _with_overrides(dict(data or {}), env)
    merged.setdefault("cache_dir", default_cache_dir(env))
    merged.setdefault("upstreams", _default_upstreams(env))
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError("\n".join(_explained(error))) from None
    return config


def api_key(upstream: UpstreamConfig, env: Mapping[str, str]) -> str | None:
    """Return the upstream's key. Raises ConfigError where the named variable is not set."""
    if upstream.api_key_env is None:
        return upstream.api_key
    key = env.get(upstream.api_key_env)
    if not key:
        raise ConfigError(
            f"upstreams.{upstream.name}.api_key_env: the variable "
            f"{upstream.api_key_env} is not set."
        )
    return key


def store_url(store: StoreConfig, env: Mapping[str, str]) -> str | None:
    """Return the store's URL. Raises ConfigError where it is needed and not given."""
    if store.kind != "redis":
        return None
    url = store.url if store.url_env is None else env.get(store.url_env)
    if url:
        return url
    if store.url_env is not None:
        raise ConfigError(f"store.url_env: the variable {store.url_env} is not set.")
    raise ConfigError(
        "store.url: needed for a store of kind redis, such as redis://localhost:6379."
    )


def admin_token_sha256(admin: AdminConfig, env: Mapping[str, str]) -> str | None:
    """Return the hash of the admin token, None where there is none. Raises ConfigError."""
    if admin.token_env is None:
        return admin.token_sha256
    token = env.get(admin.token_env)
    if not token:
        raise ConfigError(f"admin.token_env: the variable {admin.token_env} is not set.")
    return sha256(token.encode()).hexdigest()


def default_cache_dir(env: Mapping[str, str]) -> Path:
    """Return the user's cache directory (XDG)."""
    base = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".cache")
    return Path(base) / "cachemw"


def _default_upstreams(env: Mapping[str, str]) -> list[dict[str, Any]]:
    """OpenAI's own variables where they are set, else the lab model that is shipped."""
    base_url, key = env.get("OPENAI_BASE_URL"), env.get("OPENAI_API_KEY")
    if base_url or key:
        openai: dict[str, Any] = {
            "name": "openai",
            "base_url": base_url or "https://api.openai.com/v1",
        }
        return [openai | ({"api_key_env": "OPENAI_API_KEY"} if key else {})]
    return [{"name": "lab", "local": "lab", "default_model": "cachemw-lab"}]


def _with_overrides(data: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """Apply CACHEMW_SECTION__KEY; values are YAML, so that numbers and lists can be given."""
    for name, value in sorted(env.items()):
        if not name.startswith(ENV_PREFIX) or name in _ENV_ELSEWHERE:
            continue
        *sections, key = name.removeprefix(ENV_PREFIX).lower().split("__")
        if any(part.isdigit() for part in (*sections, key)):
            raise ConfigError(
                f"{name}: an element of a list cannot be set by itself; give the whole list, "
                f"as YAML, in {name.partition('__')[0]}."
            )
        target = data
        for section in sections:
            nested = target.get(section)
            target[section] = target = dict(nested) if isinstance(nested, dict) else {}
        try:
            target[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"{name}: not a valid value: {_trouble(error)}.") from None
    return data


def _trouble(error: yaml.YAMLError) -> str:
    """Say what is wrong and where, without the line itself: it may hold a key."""
    mark = getattr(error, "problem_mark", None)
    where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
    return f"{getattr(error, 'problem', None) or 'unreadable characters'}{where}"


def _explained(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        location = problem["loc"]
        where = ".".join(str(part) for part in location)
        if problem["type"] == "extra_forbidden":
            known = _known_keys(location[:-1])
            near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
            meant = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}."
            yield f"{where}: unknown key; {meant}"
        else:
            given = problem["input"]
            # Never a value that may be a secret.
            secret = where == "store.url" or any(w in where for w in ("key", "sha256", "token"))
            plain = isinstance(given, str | int | float | bool) and not secret
            shown = f", not {given!r}" if plain else ""
            message = problem["msg"].removeprefix("Value error, ")
            named = f"{where}: " if where else ""
            yield f"{named}{message[0].lower()}{message[1:]}{shown}."


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that may stand at a place in the configuration."""
    model: Any = Config
    for part in location:
        if isinstance(part, str) and part in getattr(model, "model_fields", {}):
            annotation = model.model_fields[part].annotation
            arguments = getattr(annotation, "__args__", ())
            model = arguments[-1] if arguments else annotation
    return sorted(getattr(model, "model_fields", {}))
