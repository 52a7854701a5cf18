"""What requests feel while Redis is paused, killed and restarted: `python -m loadtests.faults`."""
