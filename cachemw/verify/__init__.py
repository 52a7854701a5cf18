"""Whether the answer to one question answers another: models that read both."""
