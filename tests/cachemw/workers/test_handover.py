from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from cachemw.config import load_config
from cachemw.workers.handover import Handover, Place, read_handover
from cachemw.workers.listening import Address


def test_what_is_written_is_read() -> None:
    data = {
        "upstreams": [{"name": "x", "base_url": "http://127.0.0.1:9/v1", "api_key": "sk-ü\n"}],
        "server": {"workers": 3, "port": 0},
        "store": {"path": "~/answers.sqlite3"},
    }
    config = load_config(data, {"HOME": "/home/x"})
    place = Place(2, Path("/tmp/metrics"), {"lab": Path("/tmp/model.sock")})
    handover = Handover(
        config, (Address(2, ("127.0.0.1", 80)), Address(10, ("::1", 80, 0, 0))), place
    )
    assert read_handover(BytesIO(handover.line())) == handover


@pytest.mark.parametrize("cut", [0, 10, -1])
def test_a_supervisor_that_died_while_writing(cut: int) -> None:
    config = load_config({"upstreams": [{"name": "x", "base_url": "http://127.0.0.1:9"}]}, {})
    line = Handover(config, (), Place(0, Path("/tmp"), {})).line()
    with pytest.raises(EOFError):
        read_handover(BytesIO(line[:cut]))
