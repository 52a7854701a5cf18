"""The parts of the decision as a configuration has them."""

from __future__ import annotations

from cachemw_policies.guards.reading import read
from cachemw_policies.guards.script import english_enough
from cachemw_policies.guards.table import objection

from cachemw.calibrate.judge import Decider
from cachemw.config import Config
from cachemw.embed.load import load_embedder
from cachemw.settings import loading_settings

# The least cosine of a candidate that is read and verified.
_FLOOR = 0.6


def load_decider(config: Config) -> Decider:
    """Load the models. Raises ConfigError where there is none that serves."""
    settings = loading_settings(config)
    embedder = load_embedder(settings.embedder, settings.models)
    return Decider(embedder, objects, None, _FLOOR, english_enough)


def objects(stored: str, asked: str) -> str | None:
    """Return the name of the guard that objects, if one does."""
    return objection(read(stored), read(asked))
