"""Several processes that serve on one port: the supervisor, and what each of them runs."""
