"""Supervised fastText models, read from their files and run by numba."""
