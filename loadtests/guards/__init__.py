"""What the guards cost and gain on pairs of real questions."""
