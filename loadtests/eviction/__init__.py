"""Which entries a full cache should give up: policies replayed over real streams of questions."""
