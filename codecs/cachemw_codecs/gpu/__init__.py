"""Coding and decoding on NVIDIA GPUs with Triton. Optional: nothing else imports this folder."""
