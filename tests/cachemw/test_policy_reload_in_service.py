"""A policy file that changes under the running service: for the better, for the worse, in vain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cachemw.errors import EmbedderUnavailable
from cachemw.stores.base import Vector
from tests.support.asgi import AsgiReply
from tests.support.service import Assembled, Parts, WordEmbedder, assembled, chat, text_of


async def ask(service: Assembled, text: str) -> AsgiReply:
    reply = await service.client.ask(chat(text))
    assert reply.status == 200, reply.body
    await service.settled()
    return reply


async def from_upstream(service: Assembled, text: str) -> None:
    reply = await ask(service, text)
    assert reply.layer == "upstream"
    assert text in text_of(reply.body)


POLICY = """
min_confidence: 0.9
defaults: {{ttl: {ttl}}}
categories:
  default: {{}}
  facts: {{examples: [facts of, facts on]}}
  news: {{examples: [news of, news on]}}
"""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "policies.yaml"
    _write(file, POLICY.format(ttl="1h"))
    return file


def _write(file: Path, text: str) -> None:
    file.write_text(text)


def _remove(file: Path) -> None:
    file.unlink()


async def _reloaded(service: Assembled) -> None:
    for _ in range(2):  # a file counts once two looks in a row have seen the same
        await service.learning.learner.reload()


@pytest.mark.parametrize("broken", ["defaults: {ttl: soon}", "a: [", "", None])
async def test_a_policy_file_that_breaks(
    broken: str | None, policy_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = Parts(embedder=WordEmbedder(), config={"categories": {"file": str(policy_file)}})
    async with assembled(parts) as service:
        await ask(service, "cold start")
        if broken is None:
            _remove(policy_file)
        else:
            _write(policy_file, broken)
        for _ in range(2):
            await _reloaded(service)
        assert service.metric("policy_failed") == 1.0
        assert [r.levelname for r in caplog.records if r.name == "cachemw.categories"] == [
            "WARNING"
        ]
        service.clock.now += 1800
        assert (await ask(service, "cold start")).layer == "exact"  # the old ones are in force
        await from_upstream(service, "geese")
        _write(policy_file, POLICY.format(ttl="10m"))
        await _reloaded(service)
        assert service.metric("policy_failed") == 0.0
        await from_upstream(service, "cold start")


class Unwilling(WordEmbedder):
    """Embeds, or not."""

    willing = True

    def embed(self, texts: Sequence[str]) -> Vector:
        if not self.willing:
            raise EmbedderUnavailable("away")
        return super().embed(texts)


async def test_policies_whose_classifier_could_not_be_trained_are_not_lost(
    policy_file: Path,
) -> None:
    embedder = Unwilling()
    parts = Parts(embedder=embedder, config={"categories": {"file": str(policy_file)}})
    async with assembled(parts) as service:
        _write(policy_file, POLICY.format(ttl="10m").replace("facts", "figures"))
        embedder.willing = False
        await service.learning.learner.reload()
        with pytest.raises(EmbedderUnavailable):
            await service.learning.learner.reload()
        assert service.categories.policy("default").ttl == 3600
        assert "figures" not in service.categories.policies.names
        await from_upstream(service, "geese")
        embedder.willing = True
        await service.learning.learner.reload()
        assert service.categories.policy("default").ttl == 600
        assert service.categories.classify(embedder.embed(["figures of it"])[0]) == "figures"
