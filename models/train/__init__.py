"""Pretraining of a small Llama on token shards: plain torch, one process, resumable."""
