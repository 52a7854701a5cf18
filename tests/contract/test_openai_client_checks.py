"""Hits that are checked in the background, and policies and quotas while requests go on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

from tests.contract.learning import (
    ASKED,
    CLIENTS_KEY,
    OWN_KEY,
    PARAPHRASE,
    POLICY,
    Learning,
    ask,
    learning_proxy,
    until_found,
)
from tests.support.fakes import RunningFake
from tests.support.servers import wait_until

STAYS = "old policies stay in force"


@pytest.fixture
def tenant(learning: Learning, request: pytest.FixtureRequest) -> Iterator[OpenAI]:
    """Return a client whose cache is its own."""
    with learning.client(request.node.name) as official:
        yield official


def _counts(learning: Learning, outcome: str, verdict: str) -> tuple[float, float]:
    checks = learning.metric(f'cachemw_checks_total{{outcome="{outcome}",source="shadow"}}')
    labels = learning.metric(f'cachemw_labels_total{{source="shadow",verdict="{verdict}"}}')
    return checks, labels


@pytest.mark.parametrize(
    ("outcome", "verdict", "fresh"), [("same", "right", "It is 12."), ("different", "wrong", "13.")]
)
def test_a_hit_is_checked_by_one_call_with_our_own_key(
    learning: Learning,
    tenant: OpenAI,
    fake: RunningFake,
    outcome: str,
    verdict: str,
    fresh: str,
) -> None:
    ask(tenant, ASKED, "checked", OWN_KEY, x_fake="echo=The answer is 12.")
    until_found(tenant, PARAPHRASE, "checked", OWN_KEY)
    before, asked = _counts(learning, outcome, verdict), fake.asked(PARAPHRASE)
    hit = ask(tenant, PARAPHRASE, "checked", OWN_KEY, x_fake=f"echo={fresh}")
    assert (hit.layer, hit.content) == ("semantic", "The answer is 12.")
    wait_until(
        lambda: _counts(learning, outcome, verdict) == (before[0] + 1, before[1] + 1),
        what="a check",
    )
    assert fake.asked(PARAPHRASE) == asked + 1
    call = fake.record.requests[-1]
    assert call.headers["authorization"] == "Bearer sk-own"
    # What it brought is the asker's own answer from then on.
    again = ask(tenant, PARAPHRASE, "checked", OWN_KEY, cache_control="only-if-cached")
    assert (again.layer, again.content) == ("exact", fresh)
    if outcome == "different":
        with pytest.raises(openai.APIStatusError) as caught:
            ask(
                tenant,
                ASKED,
                "checked",
                OWN_KEY,
                x_cachemw_mode="exact",
                cache_control="only-if-cached",
            )
        assert caught.value.code == "only_if_cached"


def test_no_check_is_made_with_a_clients_credential(
    learning: Learning, tenant: OpenAI, fake: RunningFake
) -> None:
    refused = 'cachemw_checks_total{outcome="client_credentials",source="shadow"}'
    ask(tenant, ASKED, "checked", CLIENTS_KEY)
    until_found(tenant, PARAPHRASE, "checked", CLIENTS_KEY)
    before, asked = learning.metric(refused), fake.asked(PARAPHRASE)
    assert ask(tenant, PARAPHRASE, "checked", CLIENTS_KEY).layer == "semantic"
    wait_until(lambda: learning.metric(refused) == before + 1, what="a refusal")
    assert fake.asked(PARAPHRASE) == asked


class Load:
    """Asks what is stored again and again, in a thread, and notes every layer and failure."""

    def __init__(self, client: OpenAI, questions: list[str]) -> None:
        self.layers: set[str] = set()
        self.count = 0
        self._client = client
        self._questions = questions
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            for text in self._questions:
                try:
                    self.layers.add(ask(self._client, text, "judged").layer)
                except openai.OpenAIError as error:
                    self.layers.add(repr(error))
                self.count += 1

    def rounds(self, count: int = 2) -> None:
        """Wait until all has been asked again so many times."""
        least = self.count + count * len(self._questions)
        wait_until(lambda: self.count >= least, timeout=30, what="load")

    def end(self) -> None:
        self._stop.set()
        self._thread.join(30)


def test_policies_change_under_load_and_no_entry_is_lost(
    learning: Learning, tenant: OpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    questions = [f"Number {n}?" for n in range(8)]
    for text in questions:
        ask(tenant, text, "judged")
    load = Load(tenant, questions)
    try:
        with pytest.raises(openai.BadRequestError):
            ask(tenant, "Fresh?", "fresh")
        changed = POLICY.replace("ttl: 1h", "ttl: 2h") + "  fresh: {threshold: 0.8}\n"
        learning.policy.write_text(changed)
        wait_until(lambda: _known(tenant, "fresh"), what="the new category")
        assert learning.category("judged")["ttl"] == 7200
        assert learning.category("fresh")["threshold"] == 0.8
        load.rounds()
        with caplog.at_level(logging.WARNING, "cachemw.categories"):
            learning.policy.write_text(changed.replace("judged: {ttl: 2h}", "judged: {ttl: soon}"))
            wait_until(lambda: learning.metric("cachemw_policy_failed") == 1, what="a failure")
            load.rounds()
        said = [record.getMessage() for record in caplog.records if STAYS in record.getMessage()]
        assert len(said) == 1
        assert "ttl" in said[0]
        assert _known(tenant, "fresh")
        assert learning.category("judged")["ttl"] == 7200
        learning.policy.write_text(POLICY)
        wait_until(lambda: not _known(tenant, "fresh"), what="the old policies")
        assert learning.metric("cachemw_policy_failed") == 0
        load.rounds()
    finally:
        load.end()
    assert load.layers == {"exact"}


def _known(client: OpenAI, category: str) -> bool:
    try:
        ask(client, "Fresh?", category)
    except openai.BadRequestError:
        return False
    return True


def test_a_flood_in_one_category_leaves_another_its_guaranteed_share(
    fake: RunningFake, embedder_cache: Path, tmp_path: Path
) -> None:
    sections = {
        "mode": "exact",
        "store": {"path": str(tmp_path / "a.sqlite3"), "max_entries": 40},
    }
    with (
        learning_proxy(fake.url, embedder_cache, tmp_path, **sections) as small,
        small.client("a") as one,
    ):
        small.policy.write_text(
            "categories: {kept: {quota: {guaranteed: 0.3}}, flood: {priority: 5.0}}"
        )
        wait_until(lambda: _known(one, "kept"), what="the quotas")
        questions = [f"Kept {n}?" for n in range(10)]
        for text in questions:
            ask(one, text, "kept")
        with httpx.Client(base_url=small.url, headers={"x-cachemw-category": "flood"}) as http:
            for number in range(80):
                body = {
                    "model": CLIENTS_KEY,
                    "messages": [{"role": "user", "content": f"{number}"}],
                }
                http.post("/v1/chat/completions", json=body).raise_for_status()
        evicted = 'cachemw_evictions_total{category="flood",reason="quota"}'
        wait_until(lambda: small.category("flood")["entries"] <= 30, what="evictions")
        assert small.metric(evicted) >= 50
        assert small.metric(evicted.replace("flood", "kept")) == 0
        assert {ask(one, text, "kept").layer for text in questions} == {"exact"}
