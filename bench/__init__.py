"""Benchmarks: measured side by side with peers, printed as ratios, never asserted."""
