import math

import pytest
import torch

from loadtests.lab.conversation import Message
from loadtests.lab.evaluate import (
    Answered,
    answer,
    baselines,
    bits_per_byte,
    byte_entropy,
    score,
    windows,
)
from loadtests.lab.model import lab_config, new_model
from loadtests.lab.tasks.base import Probe
from loadtests.lab.tokens import LabTokenizer

PROBE = Probe("capitals", (Message("user", "Capital of Peru?"),), "It is Lima.", "Lima")


@pytest.mark.parametrize("length", [1, 7, 8, 9, 50])
def test_windows_score_every_token_once(length: int) -> None:
    cover = windows(length, context=8, stride=3)
    assert [t for _, first, end in cover for t in range(first, end)] == list(range(length))
    assert all(end - start <= 8 for start, _, end in cover)


def test_strided_windows_agree_with_one_pass(tokenizer: LabTokenizer) -> None:
    model = new_model(lab_config(tokenizer, context=256), 1, torch.device("cpu"))
    served = tokenizer.for_transformers(context=256)
    text = "What is the capital of Peru? Line.\nAnother liné.\n"
    whole = bits_per_byte(model, served, text, stride=8)
    ids = torch.tensor([[tokenizer.bos_id, *tokenizer.encode_text(text.splitlines(True)).tolist()]])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, :-1]
    nats = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
    assert whole == pytest.approx(nats / math.log(2) / len(text.encode()), rel=1e-5)
    model.config.max_position_embeddings = 16
    assert bits_per_byte(model, served, text, stride=8) == pytest.approx(whole, rel=0.05)


def test_byte_entropy_of_equal_bytes() -> None:
    assert byte_entropy("abcd" * 10) == pytest.approx(2.0)
    assert baselines("abcd" * 1000)["xz_9e"] < 1


def test_a_longer_right_answer_is_right_but_not_exact() -> None:
    figures = score([Answered(PROBE, "It is Lima."), Answered(PROBE, "lima!"), Answered(PROBE, "")])
    assert figures["exact"].startswith("1/3")
    assert figures["right"].startswith("2/3")
    assert [wrong["said"] for wrong in figures["wrong"]] == [""]


def test_a_key_inside_another_word_does_not_count() -> None:
    probe = Probe("elements", (), "The chemical symbol for carbon is C.", "C")
    assert Answered(probe, "The chemical symbol for carbon is C.").right
    assert not Answered(probe, "The chemical symbol for carbon is Ca.").right


def test_answers_come_in_the_order_of_the_probes(tokenizer: LabTokenizer) -> None:
    model = new_model(lab_config(tokenizer, context=256), 1, torch.device("cpu"))
    probes = [PROBE, Probe("x", (Message("user", "A much longer question?"),), "a", "a")]
    answered = answer(model, tokenizer.for_transformers(context=256), probes, batch=1)
    assert [one.probe for one in answered] == probes
