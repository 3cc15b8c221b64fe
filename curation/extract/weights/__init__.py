"""Weights that `models/extractor` trained; its README is their card."""
