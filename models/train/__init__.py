"""Pretraining of language models on token shards, and their evaluation: plain torch, resumable."""
