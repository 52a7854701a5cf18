"""`cachemw calibrate`: what thresholds are worth on an operator's own pairs of questions."""
