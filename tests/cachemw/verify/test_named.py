from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cachemw.embed.model_files import find_model
from cachemw.errors import ConfigError
from cachemw.verify.named import load_named

MAKE = """
import shutil, sys
from pathlib import Path
import torch
from transformers import BertConfig, BertForSequenceClassification
from cachemw.embed.model_files import find_model
torch.manual_seed(0)
base = find_model("minilm").directory
for labels in (1, 2, 3):
    out = Path(sys.argv[1]) / f"labels-{labels}"
    config = BertConfig(vocab_size=30522, hidden_size=16, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=16, num_labels=labels,
        initializer_range=0.5)
    BertForSequenceClassification(config).save_pretrained(out)
    for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(base / file, out)
"""

SCORE = """
import json, sys
import torch
from sentence_transformers import CrossEncoder
from cachemw.errors import ConfigError
from cachemw.verify.base import QuestionPair
from cachemw.verify.named import load_named
texts = [("How are you?", "How do you do?"), ("a", "b " * 40), ("", ""), ("x", "y"), ("one", "two")]
pairs = [QuestionPair(a, b, 0.5) for a, b in texts]
found = {}
for labels in (1, 2):
    verifier = load_named(f"{sys.argv[1]}/labels-{labels}", threads=1)
    model = CrossEncoder(f"{sys.argv[1]}/labels-{labels}", device="cpu")
    if labels == 1:
        expected = model.predict(texts, activation_fn=torch.nn.Sigmoid())
    else:
        expected = model.predict(texts, apply_softmax=True)[:, 1]
    found[labels] = {"scores": verifier.score(pairs).tolist(), "expected": expected.tolist(),
        "none": verifier.score([]).shape, "fingerprint": verifier.fingerprint,
        "threads": torch.get_num_threads()}
    verifier.close()
try:
    load_named(f"{sys.argv[1]}/labels-3", threads=1)
except ConfigError as error:
    found["error"] = str(error)
print(json.dumps(found))
"""


def test_one_label_and_two_are_probabilities_and_three_are_refused(
    tmp_path: Path, python: Callable[..., str]
) -> None:
    python(MAKE, str(tmp_path))
    found = json.loads(python(SCORE, str(tmp_path)).splitlines()[-1])
    for labels in ("1", "2"):
        scores = found[labels]["scores"]
        assert scores == pytest.approx(found[labels]["expected"], abs=1e-5)
        assert all(0 <= score <= 1 for score in scores)
        assert max(scores) - min(scores) > 0.01
        assert found[labels]["none"] == [0]
        assert found[labels]["threads"] == 1
        files = find_model(str(tmp_path / f"labels-{labels}"))
        assert found[labels]["fingerprint"] == files.fingerprint
    assert "semantic.verifier: labels-3 has 3 labels" in found["error"]


def test_an_encoder_without_a_head_is_refused_before_torch_is_loaded() -> None:
    directory = find_model("minilm").directory
    with pytest.raises(ConfigError, match=r"semantic\.verifier: .* is no CrossEncoder"):
        load_named(str(directory), threads=1)


@pytest.mark.parametrize("text", ["[]", "no json", '{"architectures": null}'])
def test_a_configuration_that_says_nothing_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"semantic\.verifier"):
        load_named(str(tmp_path), threads=1)


def test_a_directory_without_a_model_names_the_verifiers_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"semantic\.verifier: .* holds no"):
        load_named(str(tmp_path), threads=1)
