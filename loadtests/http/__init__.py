"""End-to-end benchmarks over HTTP, each subject beside its floor in the same run."""
