"""Trains the cross-encoder once: `python -m loadtests.verifier.train ROWS MODEL OUT [--lr N ...]`.

ROWS from prepare.py, MODEL the folder of the embedder's model; options are the fields of `Recipe`.
Writes OUT/NAME.npz (runs.py), with `--save` also OUT/NAME.safetensors, the weights that are
shipped. Runs where there is nothing but torch, transformers, tokenizers, safetensors and numpy; a
run takes about 20 s on an H200. recipe.py says which runs there were.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from loadtests.verifier.data import Data, read
from loadtests.verifier.metric import served, weight_of_others
from loadtests.verifier.model import load_model
from loadtests.verifier.quantise import load_quantised, quantised, weights
from loadtests.verifier.training import Recipe, Scores, scores, soft_labels, train

BASE = 0.68
"""The share of duplicates that the printed figures are weighed to."""


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    found = argparse.ArgumentParser(prog="python -m loadtests.verifier.train", description=__doc__)
    found.add_argument("rows", type=Path)
    found.add_argument("model", type=Path)
    found.add_argument("out", type=Path)
    found.add_argument("--name", default="run")
    found.add_argument("--soft-from", type=Path, nargs="*", default=[], help="runs of teachers")
    found.add_argument("--save", action="store_true")
    for field in fields(Recipe):
        flag = f"--{field.name.replace('_', '-')}"
        found.add_argument(flag, type=type(field.default), default=field.default)
    return found


def run(options: argparse.Namespace) -> None:
    """Train, score, write."""
    recipe = Recipe(**{field.name: getattr(options, field.name) for field in fields(Recipe)})
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows = read(options.rows)
    data = Data(rows, Tokenizer.from_file(str(options.model / "tokenizer.json")), device)
    train_part = [place for place, row in enumerate(rows) if row["part"] == "train"]
    held = [place for place, row in enumerate(rows) if row["part"] != "train"]
    learn = [place for place in train_part if recipe.edits or data.real[place]]
    left_out: list[int] = []
    if recipe.folds:
        fold = [row["fold"] % recipe.folds == recipe.fold for row in rows]
        left_out = [place for place in learn if fold[place]]
        learn = [place for place in learn if not fold[place]]
    soft = soft_labels([_teacher(path) for path in options.soft_from], data.same)
    model = load_model(options.model, device, recipe.dropout, recipe.lora)
    train(model, data, learn, soft, recipe)
    one, other = (scores(model, data, held, flip=flip) for flip in (False, True))
    print(json.dumps({"name": options.name} | _figures(one, data.same[held])), flush=True)
    np.savez(
        options.out / f"{options.name}.npz",
        positions=np.array([*left_out, *held]),
        scores=np.concatenate([scores(model, data, left_out, flip=False), (one + other) / 2]),
    )
    if options.save:
        small = quantised(weights(model))
        save_file(small, options.out / f"{options.name}.safetensors")
        load_quantised(model, small)
        again = scores(model, data, held, flip=False)
        print(json.dumps({"name": f"{options.name}, int8"} | _figures(again, data.same[held])))


def _teacher(path: Path) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Scores]:
    with np.load(path) as kept:
        return kept["positions"], kept["scores"]


def _figures(found: Scores, labels: Scores) -> dict[str, float]:
    """Return the shares of held-out duplicates that are served at each limit."""
    same = labels > 0.5
    points = served(found, same, weight_of_others(same, BASE))
    return {f"{point.limit:.0%}": round(point.share, 4) for point in points}


if __name__ == "__main__":
    run(parser().parse_args())
