"""The verifier: how it is trained, and how well it does on pairs that it has not seen."""
