from __future__ import annotations

from cachemw.config import UpstreamConfig
from cachemw.local.launch import lab_model_path, model_process
from cachemw.local.process import WorkerState


async def test_the_process_of_an_upstream_is_made_and_not_started() -> None:
    process = model_process(UpstreamConfig(name="x", local="lab"))
    assert process.state is WorkerState.NEW
    assert not process.socket_path.exists()
    await process.aclose()


def test_the_lab_model_is_shipped() -> None:
    assert (lab_model_path() / "config.json").exists()
