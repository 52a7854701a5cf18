"""Train the lab model: `python -m loadtests.lab.train --data DIR --out DIR`.

Reads the tasks, learns a tokenizer, trains, saves what `transformers` loads.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.attention.flex_attention import create_block_mask

from loadtests.lab.mix import Share, ahead, batches
from loadtests.lab.model import (
    CONTEXT,
    SHAPES,
    VOCABULARY,
    lab_config,
    new_model,
    packed_loss,
    packed_mask,
)
from loadtests.lab.prepare import prepare
from loadtests.lab.schedule import hurried
from loadtests.lab.tasks import MIXES
from loadtests.lab.tokens import LabTokenizer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import Tensor
    from transformers import LlamaForCausalLM

    from loadtests.lab.packing import Rows, RowSource
    from loadtests.lab.tasks.base import Task


@dataclass(frozen=True)
class Plan:
    """Everything that decides the result, beside the data."""

    steps: int = 4_000
    """Eleven epochs of the novels; the held-out loss rises when there are many more."""
    rows: int = 32
    context: int = CONTEXT
    vocabulary: int = VOCABULARY
    peak_rate: float = 3e-3
    warmup: int = 300
    weight_decay: float = 0.1
    clip: float = 1.0
    seed: int = 20261122
    validate_every: int = 1000
    validation_rows: int = 64
    size: str = "lab"
    minutes: float | None = None
    """Ends the steps early, at a rate as low as after all of them; the clock decides then."""
    workers: int = 1


@dataclass
class Log:
    """What the run says about itself; written beside the model."""

    plan: Plan
    machine: str
    parameters: int = 0
    prepared_s: float = 0.0
    trained_s: float = 0.0
    tokens_per_s: float = 0.0
    losses: list[dict[str, Any]] = field(default_factory=list)

    def say(self, **values: Any) -> None:
        """Keep a row and print it."""
        self.losses.append(values)
        print(json.dumps(values), flush=True)

    def write(self, path: Path) -> None:
        """Save as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def optimizer_for(
    model: LlamaForCausalLM, plan: Plan, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW that decays matrices and leaves the norms alone."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": plan.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=plan.peak_rate,
        betas=(0.9, 0.95),
        fused=device.type == "cuda",
    )


class Trainer:
    """A model being trained on one device."""

    def __init__(self, model: LlamaForCausalLM, plan: Plan, device: torch.device) -> None:
        self.model = model
        self._plan = plan
        self._device = device
        on_gpu = device.type == "cuda"
        self._optimizer = optimizer_for(model, plan, device)
        # Compiling costs more than 20 steps on a CPU would.
        self._loss = torch.compile(packed_loss, dynamic=False) if on_gpu else packed_loss
        self._make_mask = torch.compile(create_block_mask) if on_gpu else create_block_mask

    def step(self, number: int, batch: Rows, spent: float = 0.0) -> Tensor:
        """One update; the loss stays on the device, so that nothing waits for it.

        `spent` is the share of the allowed time that is gone.
        """
        factor = hurried(number, self._plan.steps, self._plan.warmup, spent)
        for group in self._optimizer.param_groups:
            group["lr"] = self._plan.peak_rate * factor
        loss = self._batch_loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._plan.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    @torch.no_grad()
    def validate(self, source: RowSource) -> float:
        """Loss in nats per token over the first validation rows, in batches as in training."""
        rows = islice(
            batches([Share(source, self._plan.rows)], self._plan.seed),
            max(1, self._plan.validation_rows // self._plan.rows),
        )
        return float(np.mean([self._batch_loss(batch).item() for batch in rows]))

    def _batch_loss(self, batch: Rows) -> Tensor:
        tokens = self._move(torch.from_numpy(batch.tokens))
        weights = self._move(torch.from_numpy(batch.weights))
        mask = packed_mask(self._move(torch.from_numpy(batch.documents)), self._make_mask)
        with self._autocast():
            return self._loss(self.model, tokens, weights, mask)

    def _move(self, tensor: Tensor) -> Tensor:
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()


def train(mix: list[tuple[Task, float]], plan: Plan, out: Path, device: torch.device) -> Log:
    """Run everything, ending with a saved model in `out`."""
    log = Log(plan, machine=_machine(device))
    started = time.perf_counter()
    tokenizer, shares, held_out = prepare(mix, plan)
    config = lab_config(tokenizer, plan.context, SHAPES[plan.size])
    model = new_model(config, plan.seed, device)
    trainer = Trainer(model, plan, device)
    log.parameters = model.num_parameters()
    log.prepared_s = round(time.perf_counter() - started, 1)
    log.say(prepared_s=log.prepared_s, parameters=log.parameters)

    started = time.perf_counter()
    timed_from, timed_step = started, 0
    for number, batch in enumerate(ahead(batches(shares, plan.seed), plan.steps)):
        spent = _since(started) / (60 * plan.minutes) if plan.minutes else 0.0
        last = number == plan.steps - 1 or spent >= 1.0
        loss = trainer.step(number, batch, spent)
        if number % 100 == 0 or last:
            log.say(step=number, loss=round(loss.item(), 4), s=_since(started))
        if number == 9:  # compiled by now
            timed_from, timed_step = time.perf_counter(), number
        if (number + 1) % plan.validate_every == 0 or last:
            losses = {name: round(trainer.validate(s), 4) for name, s in held_out.items()}
            log.say(step=number, held_out=losses, s=_since(started))
        if last:
            break
    trained = (number - timed_step) * plan.rows * plan.context
    log.tokens_per_s = round(trained / (time.perf_counter() - timed_from))
    log.trained_s = _since(started)
    log.say(trained_s=log.trained_s, tokens_per_s=log.tokens_per_s)
    save(model, tokenizer, out)
    log.write(out / "training_log.json")
    return log


def save(model: LlamaForCausalLM, tokenizer: LabTokenizer, out: Path) -> None:
    """Write what `AutoModelForCausalLM` and `AutoTokenizer` load, weights in bfloat16."""
    model.set_attn_implementation("sdpa")
    model.generation_config.update(  # type: ignore[no-untyped-call]
        bos_token_id=tokenizer.bos_id,
        eos_token_id=tokenizer.eos_id,
        pad_token_id=tokenizer.pad_id,
        # A client that asks for nothing else gets the model at its most reliable.
        do_sample=True,
        temperature=0.1,
    )
    model.to(torch.bfloat16)  # type: ignore[arg-type]
    model.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)
    tokenizer.for_transformers(model.config.max_position_embeddings).save_pretrained(out)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 1)


def _machine(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"{name}, torch {torch.__version__}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with novels.txt.xz")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--rows", type=int, default=Plan.rows, help="rows of a batch")
    parser.add_argument("--context", type=int, default=CONTEXT, help="tokens of a row")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--size", choices=SHAPES, default=Plan.size)
    parser.add_argument("--mix", choices=MIXES, default="default")
    parser.add_argument("--peak-rate", type=float, default=Plan.peak_rate)
    parser.add_argument("--minutes", type=float, help="end the steps early, after so long")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = vars(parser.parse_args())
    data, out, mix = given.pop("data"), given.pop("out"), given.pop("mix")
    device = torch.device(given.pop("device"))
    out.mkdir(parents=True, exist_ok=True)
    torch.set_float32_matmul_precision("high")
    train(MIXES[mix](data), Plan(**given), out, device)


if __name__ == "__main__":
    main()
