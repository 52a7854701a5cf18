from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import redis

from loadtests.http.redis import redis_server, url
from loadtests.http.servers import cores

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed"
)


def test_it_answers_until_the_end_of_the_block(tmp_path: Path) -> None:
    with (
        redis_server(tmp_path, cores().all, maxmemory_mb=5) as server,
        redis.Redis.from_url(url(server)) as client,
    ):
        assert client.ping()
        assert int(client.config_get("maxmemory")["maxmemory"]) == 5 * 2**20
    with pytest.raises(redis.ConnectionError), redis.Redis.from_url(url(server)) as client:
        client.ping()


def test_it_begins_with_what_was_saved_and_no_more(tmp_path: Path) -> None:
    for expected in (None, b"saved"):
        with (
            redis_server(tmp_path, cores().all) as server,
            redis.Redis.from_url(url(server)) as client,
        ):
            assert client.get("key") == expected
            client.set("key", "saved")
            client.save()
            client.set("key", "not saved")
