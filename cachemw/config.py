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
from typing import Any

import yaml
from pydantic import ValidationError

from cachemw.config_sections import (
    AdminConfig,
    Config,
    ServerConfig,
    StoreConfig,
    UpstreamConfig,
)
from cachemw.errors import ConfigError

__all__ = [
    "Config",
    "ServerConfig",
    "UpstreamConfig",
    "admin_token_sha256",
    "api_key",
    "default_cache_dir",
    "load_config",
    "load_file",
    "store_url",
]

ENV_PREFIX = "CACHEMW_"
# Read by other parts (tests, benchmarks, `cachemw entries`), not by the configuration.
_ENV_ELSEWHERE = frozenset({"CACHEMW_SHARED_DATA", "CACHEMW_ADMIN_TOKEN"})


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
