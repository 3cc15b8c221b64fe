"""The blend as the published Nemotron-CC: JSON lines, compressed, one folder a kind of text."""
