"""A data refinery for pretraining language models. Start at `curation/pipeline.py`."""

__version__ = "0.1.0"
