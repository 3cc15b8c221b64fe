"""Doors to other systems: our tables in the form that their readers take."""
