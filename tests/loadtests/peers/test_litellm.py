from __future__ import annotations

from pathlib import Path

from loadtests.http.servers import Server
from loadtests.peers.litellm import VERSION, config, environment

UPSTREAM, REDIS = Server(9000, 1, 0.0), Server(6000, 2, 0.0)


def test_its_cache_is_on_in_memory_or_in_redis() -> None:
    memory, redis = (config(UPSTREAM, cache)["litellm_settings"] for cache in (None, REDIS))
    assert (memory["cache"], redis["cache"]) == (True, True)
    assert memory["cache_params"] == {"type": "local"}
    assert redis["cache_params"] == {"type": "redis", "host": "127.0.0.1", "port": 6000}


def test_its_model_is_the_fake_upstream() -> None:
    [model] = config(UPSTREAM, None)["model_list"]
    assert model["litellm_params"]["api_base"] == "http://127.0.0.1:9000/v1"


def test_an_environment_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    home = tmp_path / f"litellm-{VERSION}"
    home.mkdir()
    (home / "installed").touch()
    assert environment(tmp_path) == home / "bin" / "litellm"
    assert [path.name for path in home.iterdir()] == ["installed"]
