"""Takedown: documents removed from every table, the blend and the shards, and kept out for good."""
