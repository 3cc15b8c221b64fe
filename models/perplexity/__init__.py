"""N-gram models for the perplexity of `curation.measure`, trained here. docs/perplexity.md."""
