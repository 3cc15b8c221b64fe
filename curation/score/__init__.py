"""Scores of documents: the quality ensemble and toxicity. Kernels here; `stage.py` wires them."""
