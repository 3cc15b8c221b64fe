"""Scores to buckets 0..19, five labels, and who is kept. Spark SQL alone; `stage.py` wires it."""
