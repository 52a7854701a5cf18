"""The lab: trains the small language model that cachemw ships as its embedded backend."""
