"""Recipes of training on a blend: schedules and phases, as plain arithmetic."""
