"""The lab's own byte-level BPE tokenizer: learning it, and encoding training data with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from loadtests.lab.conversation import BOS, CHAT_TEMPLATE, EOS, PAD, ROLE_TOKENS, Conversation
from loadtests.lab.packing import Documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

#: What reading a question counts for, beside 1.0 for answering it.
PROMPT_WEIGHT = 0.1


@dataclass(frozen=True)
class LabTokenizer:
    """A trained tokenizer with the ids that packing needs."""

    backend: Tokenizer

    @property
    def bos_id(self) -> int:
        """Opens every document."""
        return self._id(BOS)

    @property
    def eos_id(self) -> int:
        """Closes every message and every novel."""
        return self._id(EOS)

    @property
    def pad_id(self) -> int:
        """Fills rows; never predicted."""
        return self._id(PAD)

    @property
    def size(self) -> int:
        """Number of tokens."""
        return self.backend.get_vocab_size()

    def encode_text(self, pieces: Sequence[str]) -> NDArray[np.uint16]:
        """Tokens of `pieces` end to end, with no special tokens."""
        encoded = self.backend.encode_batch_fast(list(pieces), add_special_tokens=False)
        return np.fromiter((i for e in encoded for i in e.ids), dtype=np.uint16)

    def encode_conversations(self, conversations: Sequence[Conversation]) -> Documents:
        """One document each, token for token what the chat template gives.

        Only what the assistant writes counts fully, its EOS included; a role's token never does,
        since the server writes it.
        """
        contents = sorted({m.content for c in conversations for m in c})
        encoded = self.backend.encode_batch_fast(contents, add_special_tokens=False)
        ids_of = {content: e.ids for content, e in zip(contents, encoded, strict=True)}
        role_ids = {role: self._id(token) for role, token in ROLE_TOKENS.items()}
        tokens: list[int] = []
        weights: list[float] = []
        starts = [0]
        for conversation in conversations:
            tokens.append(self.bos_id)
            weights.append(0.0)
            for message in conversation:
                ids = ids_of[message.content]
                weight = 1.0 if message.role == "assistant" else PROMPT_WEIGHT
                tokens += [role_ids[message.role], *ids, self.eos_id]
                weights += [0.0, *[weight] * (len(ids) + 1)]
            starts.append(len(tokens))
        return Documents(
            np.array(tokens, dtype=np.uint16),
            np.array(weights, dtype=np.float32),
            np.array(starts, dtype=np.int64),
        )

    def for_transformers(self, context: int) -> PreTrainedTokenizerFast:
        """Give the tokenizer that `transformers` loads and saves, chat template included."""
        return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=self.backend,
            bos_token=BOS,
            eos_token=EOS,
            pad_token=PAD,
            additional_special_tokens=list(ROLE_TOKENS.values()),
            chat_template=CHAT_TEMPLATE,
            model_max_length=context,
            padding_side="left",
            clean_up_tokenization_spaces=False,
        )

    def _id(self, token: str) -> int:
        found = self.backend.token_to_id(token)
        if found is None:
            message = f"tokenizer lacks {token}"
            raise KeyError(message)
        return int(found)


def learn_tokenizer(texts: Iterable[str], size: int) -> LabTokenizer:
    """Byte-level BPE of `size` tokens; digits stand alone so that numbers share their parts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=[PAD, BOS, EOS, *ROLE_TOKENS.values()],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    # Plain text is opened by BOS, as in training; the chat template brings its own.
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.token_to_id(BOS))]
            ),
        ]
    )
    return LabTokenizer(tokenizer)
