"""Measures of a text, all from one tokenisation: language, signals, content hash, MinHash bands."""
