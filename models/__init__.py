"""Models: the quality classifiers, and the module that trains on the blend."""
