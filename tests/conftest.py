"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from cachemw.verify.load import load_verifier
from cachemw.verify.settings import VerifierSettings

# The same examples on every run, and no limit on time: the machine is shared. To look for new ones:
# pytest --hypothesis-profile=default
settings.register_profile(
    "cachemw", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("cachemw")


@pytest.fixture(scope="session")
def embedder_cache(pytestconfig: pytest.Config) -> Path:
    """Return a cachemw cache directory with the default embedder and verifier prepared in it.

    It stays between runs, since preparing takes twelve seconds each; what is prepared is named by
    the model, the exporter and the runtime, so nothing stale is ever found. Its parent can serve
    as XDG_CACHE_HOME.
    """
    cache = pytestconfig.cache
    assert cache is not None
    directory = cache.mkdir("xdg") / "cachemw"
    embedder = load_embedder(EmbedderSettings(), directory)
    verifier = load_verifier(VerifierSettings(), directory, embedder.fingerprint)
    assert verifier is not None
    verifier.close()
    embedder.close()
    return directory
