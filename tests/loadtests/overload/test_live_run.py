"""How the service is configured for a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from cachemw.config import load_config
from cachemw.settings import adaptation_settings, capacities
from loadtests.http.servers import Server
from loadtests.overload.live_run import config


@pytest.mark.parametrize("adapts", [True, False])
def test_the_service_takes_the_configuration(tmp_path: Path, adapts: bool) -> None:
    found = load_config(config(Server(9000, 1, 0.0), tmp_path, 32, adapts=adapts), {})
    assert capacities(found) == {"fake": 32}
    assert (adaptation_settings(found) is not None) == adapts
    assert found.categories.file == tmp_path / "policies.yaml"
    # As the simulation has it: what is turned away is not asked for again.
    assert found.upstreams[0].retries == 0
