"""What the tests of feedback share."""

from __future__ import annotations

import pytest

from tests.cachemw.evidence.world import World, document


@pytest.fixture
async def world() -> World:
    made = World()
    await made.store.put(document())
    return made
