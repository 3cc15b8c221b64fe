"""Sources by weight, with repeats, in one global order."""
