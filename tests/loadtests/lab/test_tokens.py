import random

from loadtests.lab.conversation import BOS, EOS, PAD, ROLE_TOKENS, Message, as_dicts
from loadtests.lab.tasks.dialogues import Dialogues
from loadtests.lab.tokens import PROMPT_WEIGHT, LabTokenizer


def test_any_bytes_survive_a_round_trip(tokenizer: LabTokenizer) -> None:
    text = "naïve – 漢字 \t\n  12 cafés 🙂"
    assert tokenizer.backend.decode([int(i) for i in tokenizer.encode_text([text])]) == text


def test_digits_stand_alone(tokenizer: LabTokenizer) -> None:
    tokens = tokenizer.backend.encode("1234", add_special_tokens=False).tokens
    assert tokens == ["1", "2", "3", "4"]


def test_training_encodes_what_the_chat_template_renders(tokenizer: LabTokenizer) -> None:
    conversations = list(Dialogues().conversations("train", 50, random.Random(2)))
    documents = tokenizer.encode_conversations(conversations)
    served = tokenizer.for_transformers(context=128)
    for number, conversation in enumerate(conversations):
        start, end = documents.starts[number], documents.starts[number + 1]
        rendered = served.apply_chat_template(as_dicts(conversation), return_dict=False)
        assert rendered == documents.tokens[start:end].tolist()


def test_only_the_answer_counts_fully(tokenizer: LabTokenizer) -> None:
    documents = tokenizer.encode_conversations(
        [(Message("user", "Hello."), Message("assistant", "Hello!"))]
    )
    answer = documents.tokens.tolist().index(tokenizer.backend.token_to_id("<|assistant|>"))
    assert documents.weights[0] == 0.0
    assert documents.weights[answer] == 0.0
    assert set(documents.weights[answer + 1 :].tolist()) == {1.0}
    assert documents.weights[2] == documents.weights.dtype.type(PROMPT_WEIGHT)
    assert documents.tokens[-1] == tokenizer.eos_id


def test_a_generation_prompt_opens_the_assistants_turn(tokenizer: LabTokenizer) -> None:
    served = tokenizer.for_transformers(context=128)
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": " U "}]
    text = served.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == f"{BOS}<|system|>S{EOS}<|user|>U{EOS}<|assistant|>"


def test_plain_text_is_opened_by_bos(tokenizer: LabTokenizer) -> None:
    assert tokenizer.for_transformers(context=128)("Hello")["input_ids"][0] == tokenizer.bos_id


def test_special_tokens_are_distinct(tokenizer: LabTokenizer) -> None:
    ids = {tokenizer.backend.token_to_id(t) for t in (BOS, EOS, PAD, *ROLE_TOKENS.values())}
    assert len(ids) == 6
    assert None not in ids
