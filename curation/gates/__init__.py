"""Gates on what was generated: measured first, judged by rules in SQL second."""
