import pytest
import torch
from transformers import LlamaForCausalLM

from loadtests.lab.model import SHAPES, lab_config, new_model, packed_loss, packed_mask
from loadtests.lab.tokens import LabTokenizer

CPU = torch.device("cpu")


def test_a_packed_document_is_read_as_if_alone(tokenizer: LabTokenizer) -> None:
    model = new_model(lab_config(tokenizer, context=64), seed=1, device=CPU)
    tokens = torch.arange(10, 30)[None]
    documents = torch.tensor([[0] * 8 + [1] * 12])
    with torch.no_grad():
        packed = model(input_ids=tokens, attention_mask=packed_mask(documents)).logits[0, 8:]
        alone = model(input_ids=tokens[:, 8:]).logits[0]
    torch.testing.assert_close(packed, alone, atol=1e-4, rtol=1e-4)


def test_the_loss_counts_weighted_tokens_only(tokenizer: LabTokenizer) -> None:
    model = new_model(lab_config(tokenizer, context=64), seed=1, device=CPU)
    tokens = torch.arange(10, 26)[None]
    mask = packed_mask(torch.zeros(1, 16, dtype=torch.int32))
    weights = torch.zeros(1, 16)
    weights[0, 5] = 1.0
    with torch.no_grad():
        loss = packed_loss(model, tokens, weights, mask)
        logits = model(input_ids=tokens[:, :5]).logits[0, -1]
    expected = torch.nn.functional.cross_entropy(logits, tokens[0, 5])
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)


def test_the_same_seed_gives_the_same_weights(tokenizer: LabTokenizer) -> None:
    first, second = (new_model(lab_config(tokenizer, context=64), 5, CPU) for _ in range(2))
    assert torch.equal(first.lm_head.weight, second.lm_head.weight)


@pytest.mark.parametrize(("size", "millions"), [("lab", 6.3), ("large", 27.8)])
def test_shapes_have_the_parameters_they_say(
    tokenizer: LabTokenizer, size: str, millions: float
) -> None:
    with torch.device("meta"):
        model = LlamaForCausalLM(lab_config(tokenizer, 64, SHAPES[size]))
    embedding = tokenizer.size * SHAPES[size].hidden
    assert round((model.num_parameters() - embedding) / 1e6, 1) == millions
