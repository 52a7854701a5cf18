"""Load tests, benchmarks and the lab that trains the embedded model."""
