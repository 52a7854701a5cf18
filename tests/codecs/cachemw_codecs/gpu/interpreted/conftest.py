from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.coding.frequencies import FrequencyTables
from cachemw_codecs.gpu.coder import DeviceTables

from tests.codecs.cachemw_codecs.gpu.interpreted.batches import DEVICE, make_offsets, make_tables


@pytest.fixture(scope="session")
def tables() -> FrequencyTables:
    return make_tables()


@pytest.fixture(scope="session")
def device_tables(tables: FrequencyTables) -> DeviceTables:
    return DeviceTables.of(tables, make_offsets(), DEVICE)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)
