"""Labels that were made offline, as `cachemw calibrate --labels` writes them, into the label log.

What they are worth: weights make labels of different sources comparable where a part was sampled
(`cachemw_policies.guarantee`): a checked hit is one of a share p, and so a judged miss counts p.
Here nothing was sampled: of the operator's pairs every one that got as far as the verifier is
there, whatever its score, so that none stands for others and all weigh 1. A file of pairs picked by
score would not be such a sample; a weight other than 1 would claim one, and is refused. What the
weight cannot say is how like traffic the pairs are: a threshold that they prove is proven for
questions drawn as they were, until labels of traffic have come in beside them.

A batch of labels is named after its lines: the same file sent again, say after a failure, is not
counted twice, on SQLite as long as its labels are kept and on Redis for an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Literal, Protocol

from cachemw_policies.category import PolicySet
from cachemw_policies.labels import Label, Source
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cachemw.admin.imports import Counts, Fault, ImportStopped
from cachemw.stores.evidence import DEFAULT_BOUNDS

MAX_LINE_BYTES = 4096
# At most half of what the log keeps: no file drives out all that was learnt from traffic.
MAX_LABELS = DEFAULT_BOUNDS.labels // 2
_BATCH = 256
# Lines that are there already come without a pause; so many take about a millisecond.
_PAUSE = 64

#: Writes labels, all or none, under a name by which they are known; raises StoreUnavailable.
Write = Callable[[Sequence[Label], bytes], Awaitable[None]]

_Name = Annotated[str, Field(min_length=1, max_length=256)]


class LabelLine(BaseModel):
    """A judged pair: its score on the scale of a verifier, and whether one answer serves both."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    category: _Name
    score: float = Field(ge=0, le=1)
    right: bool
    source: Literal["offline"]
    scale: _Name = Field(description="The verifier's fingerprint.")
    at: float = Field(ge=0, lt=1e11, description="Unix seconds.")
    weight: float = Field(1.0, ge=1, le=1, description="All pairs of a file count the same.")


class InForce(Protocol):
    """What labels have to fit: the policies' categories, and the verifier's scale, "" for none."""

    @property
    def policies(self) -> PolicySet:
        """The policies in force."""
        ...

    @property
    def scale(self) -> str:
        """Which labels are learnt from."""
        ...


@dataclass(slots=True)
class LabelCounts(Counts):
    """What came of an import; with `dry_run` what would."""

    dry_run: bool = False
    scale: str | None = None
    other_scale: int = 0

    def so_far(self) -> str:
        """Say how far it came before it failed."""
        # `Counts.so_far`: a class with slots is made anew, which super() does not know.
        return "Nothing is stored." if self.dry_run else Counts.so_far(self)


class LabelImports:
    """Reads lines and writes what they say with `write`."""

    def __init__(self, write: Write, in_force: InForce) -> None:
        self._write = write
        self._in_force = in_force

    def counts(self, *, dry_run: bool) -> LabelCounts:
        """Return counts of nothing yet."""
        return LabelCounts(dry_run=dry_run, scale=self._in_force.scale or None)

    async def load(
        self, lines: AsyncIterator[tuple[int, bytes]], so_far: LabelCounts, *, keep_going: bool
    ) -> None:
        """Write the labels of numbered lines, in batches; `so_far` is kept up to date.

        Raises:
            ImportStopped: at the first line that is refused, unless told to keep going; past
                MAX_LABELS in any case. Batches before its own are written: those of the mended
                file have the same names.
            StoreUnavailable: the store failed.
        """
        held: list[Label] = []
        name = blake2b(b"offline labels", digest_size=16)
        async for number, line in lines:
            if number % _PAUSE == 0:
                await asyncio.sleep(0)
            found = self._read(number, line)
            if isinstance(found, Label) and so_far.imported + len(held) >= MAX_LABELS:
                keep_going = False
                found = Fault(number, "", f"over the limit of {MAX_LABELS} labels at once")
            if isinstance(found, Fault):
                so_far.refuse(found)
                if keep_going:
                    continue
                raise ImportStopped(found)
            held.append(found)
            name.update(line + b"\n")
            if len(held) >= _BATCH:
                await self._write_all(held, name.digest(), so_far)
                held = []
        await self._write_all(held, name.digest(), so_far)

    async def _write_all(self, labels: Sequence[Label], name: bytes, counts: LabelCounts) -> None:
        if labels and not counts.dry_run:
            await self._write(labels, name)
        counts.imported += len(labels)
        if counts.scale is not None:
            counts.other_scale += sum(label.scale != counts.scale for label in labels)

    def _read(self, number: int, line: bytes) -> Label | Fault:
        try:
            read = LabelLine.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            # Without a name that is not ours: it is the client's text.
            known = [str(p) for p in problem["loc"] if p in LabelLine.model_fields]
            return Fault(number, ".".join(known), problem["msg"])
        names = self._in_force.policies.names
        if read.category not in names:
            return Fault(number, "category", f"not one of {', '.join(names)}")
        return Label(
            category=read.category,
            score=read.score,
            right=read.right,
            source=Source.OFFLINE,
            scale=read.scale,
            at=read.at,
            weight=read.weight,
        )
