"""Generators of text behind one protocol: vLLM, an OpenAI-compatible server, transformers, fake."""
