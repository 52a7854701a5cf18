"""The parts of the decision as a configuration has them: those that `loading` gives a server."""

from __future__ import annotations

from cachemw_policies.guards.script import english_enough
from cachemw_policies.guards.table import objection, read

from cachemw.calibrate.judge import Decider, any_language
from cachemw.config import Config
from cachemw.embed.load import load_embedder
from cachemw.settings import loading_settings
from cachemw.verify.load import load_verifier
from cachemw.verify.settings import SHIPPED


def load_decider(config: Config) -> Decider:
    """Load the models. Raises ConfigError where there is none that serves."""
    settings = loading_settings(config)
    embedder = load_embedder(settings.embedder, settings.models)
    try:
        verifier = load_verifier(settings.verifier, settings.models, embedder.fingerprint)
    except BaseException:
        embedder.close()
        raise
    # The shipped verifier knows English alone; of another one the operator knows what it reads.
    reads = english_enough if settings.verifier.model == SHIPPED else any_language
    return Decider(embedder, objects, verifier, config.semantic.min_similarity, reads)


def objects(stored: str, asked: str) -> str | None:
    """Return the name of the guard that objects, if one does."""
    return objection(read(asked), read(stored))
