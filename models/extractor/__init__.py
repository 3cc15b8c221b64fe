"""Training of the main-text extractor `curation.extract.fast`."""
