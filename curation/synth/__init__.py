"""Generation: prompts, segments, the generator behind one protocol, and what becomes of answers."""
