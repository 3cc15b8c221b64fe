"""Does the data help? Experiments with models of a million parameters, by `bench.science`."""
