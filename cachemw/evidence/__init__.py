"""What is known of served hits: who may judge them, and the labels that come of it."""
