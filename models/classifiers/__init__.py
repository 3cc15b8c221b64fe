"""The shipped classifiers: labels, training, evaluation. `README.md` here is the model card."""
