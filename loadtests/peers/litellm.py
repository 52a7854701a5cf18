"""LiteLLM's proxy, in an environment of its own, with one of its own caches.

Settings: those of its page "Production Best Practices" (docs.litellm.ai/docs/proxy/prod) as far as
they concern speed: production mode, logs of errors only, no spend logs, Redis by host and port. It
runs one worker and without a key, which spares it its authentication.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from loadtests.http.servers import Server, free_port, serving

VERSION = "1.106.2"
_DONE = "installed"
_ENV = {
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "PYTHONPATH": "",
}


def environment(folder: Path) -> Path:
    """Return the proxy's program in `folder`, installing it there where it is not yet.

    Raises CalledProcessError where pip cannot.
    """
    home = folder / f"litellm-{VERSION}"
    done = home / _DONE
    if not done.exists():
        print(f"... installing litellm {VERSION} into {home}", file=sys.stderr, flush=True)
        venv.create(home, with_pip=True, clear=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, f"litellm[proxy]=={VERSION}"], check=True, stdout=sys.stderr)
        done.touch()
    return home / "bin" / "litellm"


def config(upstream: Server, redis: Server | None) -> dict[str, Any]:
    """Return its configuration; its cache is in memory where there is no Redis."""
    cache: dict[str, Any] = {"type": "local"}
    if redis is not None:
        cache = {"type": "redis", "host": "127.0.0.1", "port": redis.port}
    model = {
        "model": "openai/fake-large",
        "api_base": f"http://127.0.0.1:{upstream.port}/v1",
        "api_key": "none",
    }
    return {
        "model_list": [{"model_name": "fake-large", "litellm_params": model}],
        "litellm_settings": {
            "cache": True,
            "cache_params": cache,
            "set_verbose": False,
            "request_timeout": 600,
        },
        "general_settings": {"disable_spend_logs": True, "disable_error_logs": True},
    }


@contextmanager
def litellm(
    program: Path, scratch: Path, upstream: Server, redis: Server | None, on: frozenset[int]
) -> Iterator[Server]:
    """Run the proxy on the given cores until the end of the block."""
    port = free_port()
    path = scratch / f"litellm-{port}.yaml"
    path.write_text(yaml.safe_dump(config(upstream, redis)), "utf-8")
    command = [str(program), "--config", str(path), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--num_workers", "1", "--telemetry", "False"]
    # Not its /health/liveliness, whose reply has more headers with every request.
    with serving(command, port, on, ready="/v1/models", env=_ENV) as server:
        yield server
