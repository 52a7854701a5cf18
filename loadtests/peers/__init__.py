"""cachemw beside what else one could put there: a bare application, nginx, LiteLLM's proxy."""
