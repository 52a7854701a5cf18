import random

import torch
from torch import Tensor

from loadtests.lab.exact_recall import case_tokens, exact
from loadtests.lab.model import lab_config, new_model
from loadtests.lab.tasks.recall import RecallCase, recall_cases
from loadtests.lab.tokens import LabTokenizer

CPU = torch.device("cpu")


def drawn(count: int) -> list[RecallCase]:
    return list(recall_cases("train", count, random.Random(1), ["It rained."], (60, 200)))


def test_a_case_is_exact_when_greedy_decoding_gives_its_answer(tokenizer: LabTokenizer) -> None:
    model = new_model(lab_config(tokenizer, context=512), seed=1, device=CPU)
    fast = tokenizer.for_transformers(512)
    right: list[RecallCase] = []
    for case in drawn(5):
        context, question, _ = case_tokens(fast, case)
        prompt = torch.tensor([[*context, *question]])
        made = model.generate(prompt, max_new_tokens=3, do_sample=False)  # type: ignore[misc]
        assert isinstance(made, Tensor)
        said = fast.decode(made[0, prompt.shape[1] :])
        assert isinstance(said, str)
        # What an untrained model says may not be what its own tokens spell.
        if fast(said, add_special_tokens=False)["input_ids"] == made[0, prompt.shape[1] :].tolist():
            right.append(RecallCase(case.context, case.question, said))
    assert right
    wrong = [RecallCase(case.context, case.question, case.answer + "?") for case in right]
    mixed = [case for pair in zip(right, wrong, strict=True) for case in pair]
    assert exact(model, fast, mixed, batch=3) == [True, False] * len(right)


def test_the_context_opens_with_bos(tokenizer: LabTokenizer) -> None:
    (case,) = drawn(1)
    context, question, answer = case_tokens(tokenizer.for_transformers(512), case)
    assert context[0] == tokenizer.bos_id
    assert tokenizer.backend.decode([*context[1:], *question, *answer]) == (
        case.context + case.question + case.answer
    )
